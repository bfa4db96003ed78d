import type { Line, TagLine, UriLine } from './lines.ts'
import { type Finding, finding } from './rules.ts'
import type { AttributeType } from './tags.ts'

/** Values of an attribute list by name; quoted strings without their quotes. */
export type Attributes = ReadonlyMap<string, string>
export type TagEntry = TagLine & { readonly attributes: Attributes }
export type Entry = UriLine | TagEntry

const forms: { readonly [Type in AttributeType]: RegExp } = {
  'decimal-integer': /^[0-9]{1,20}$/,
  'hexadecimal-sequence': /^0[xX][0-9A-F]+$/,
  'decimal-floating-point': /^[0-9]+(\.[0-9]+)?$/,
  'signed-decimal-floating-point': /^-?[0-9]+(\.[0-9]+)?$/,
  'quoted-string': /^"[^"]*"$/,
  'enumerated-string': /^[^",\s]+$/,
  'decimal-resolution': /^[0-9]+x[0-9]+$/,
  'quoted-string or NONE': /^("[^"]*"|NONE)$/,
}

/** One attribute at the place where the expression is applied: name, value, and the comma that ends it. */
const attribute = /([A-Z0-9-]+)=("[^"]*"|[^",\s]+)(,|$)/y

/** Reads the attribute lists (RFC 8216 4.2) of those tags that have one, each as far as it can be read. */
export function readAttributes(lines: readonly Line[]): { entries: Entry[]; findings: Finding[] } {
  const findings: Finding[] = []
  const entries = lines.map((line): Entry => {
    if (line.kind === 'uri') return line
    if (line.tag?.value !== 'attributes') return { ...line, attributes: new Map() }
    const attributes = new Map<string, string>()
    findings.push(...readList(line, attributes))
    return { ...line, attributes }
  })
  return { entries, findings }
}

function* readList(line: TagLine, attributes: Map<string, string>): Generator<Finding> {
  const list = line.value ?? ''
  let place = 0
  let isOpen = true
  while (isOpen) {
    attribute.lastIndex = place
    const [whole = '', name = '', raw = '', end] = attribute.exec(list) ?? []
    if (whole === '') {
      yield finding(line.number, '4.2 attribute-syntax', `'${list.slice(place, place + 60)}'`)
      break
    }
    if (attributes.has(name)) yield finding(line.number, '4.2 duplicate-attribute', name)
    const type = line.tag?.attributes?.[name]
    if (type !== undefined && !forms[type].test(raw)) {
      yield finding(line.number, '4.2 attribute-type', `${name} is a ${type}`)
    }
    attributes.set(name, raw.startsWith('"') ? raw.slice(1, -1) : raw)
    place += whole.length
    isOpen = end === ','
  }
  const required = line.tag?.required
  for (const name of required?.names ?? []) {
    if (required && !attributes.has(name)) yield finding(line.number, required.rule, name)
  }
}
