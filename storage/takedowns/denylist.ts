import { createHash } from 'node:crypto'
import { base16 } from 'multiformats/bases/base16'
import { base32 } from 'multiformats/bases/base32'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { base64url } from 'multiformats/bases/base64'
import { CID } from 'multiformats/cid'
import { decode as decodeMultihash, create as multihash } from 'multiformats/hashes/digest'
import { parse as parseYaml, stringify } from 'yaml'

/** Compact denylists (IPIP-383, https://specs.ipfs.tech/compact-denylist-format/), as far as they can be about blocks:
 * rules for whole CIDs, open or double-hashed. */
export type Denylist = {
  readonly header: DenylistHeader
  readonly rules: number
  /** Rules that are sound and cannot be about a block: names, sub-paths, hash functions that this node has not got. */
  readonly ignored: number
  /** Lines that are no rules, and what is wrong with the first of them. */
  readonly bad: number
  readonly badLines: readonly BadLine[]
  /** What the last rule about a CID says; undefined when there is none. */
  verdict(cid: string): 'deny' | 'allow' | undefined
}

export type BadLine = { readonly line: number; readonly problem: string }

export type DenylistHeader = {
  readonly name?: string
  readonly description?: string
  readonly author?: string
  readonly hints?: Readonly<Record<string, string | number>>
}

/** The list as a whole cannot be honoured. */
export class DenylistError extends Error {
  override readonly name = 'DenylistError'
}

const longestHeader = 1024 * 1024
const longestLine = 2 * 1024 * 1024
/** Of a CID or a hash. Reading base58 and base36 takes time that grows by the square of the length. */
const longestName = 512
const badLinesTold = 20
const linesPerStep = 2_000
const sha256Code = 0x12

const sha256 = (text: string) => createHash('sha256').update(text).digest()

/** Base58btc of the multihash, as rules and double hashes name a block, whatever its codec. @throws if it is no CID */
function nameOfBlock(cid: string): string {
  return base58btc.baseEncode(parseCidOfAnyBase(cid).multihash.bytes)
}

/** The name of a block hashed once more, for lists that shall not tell where the blocks are. */
function hiddenName(name: string): string {
  return base58btc.baseEncode(multihash(sha256Code, sha256(name)).bytes)
}

/** @throws DenylistError when the header is broken or of another version of the format */
export function parseDenylist(text: string): Denylist {
  const steps = readDenylist(text)
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/** As `parseDenylist`, in steps of some ms, so that others have their turn in between. */
export function* readDenylist(text: string): Generator<undefined, Denylist> {
  const { header, place, line: firstLine } = readHeader(text)
  /** By what a rule names: its place among the rules, negative where it allows. */
  const rules = new Map<string, number>()
  const badLines: BadLine[] = []
  let [sound, ignored, bad, line] = [0, 0, 0, firstLine]
  for (let start = place; start < text.length; line += 1) {
    if ((line - firstLine) % linesPerStep === linesPerStep - 1) yield
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    const read = end - start > longestLine ? problem('it is too long') : readLine(text.slice(start, end))
    start = end + 1
    if (read === undefined) continue
    if ('problem' in read) {
      bad += 1
      if (badLines.length < badLinesTold) badLines.push({ line, problem: read.problem })
    } else if (read.names.length === 0) ignored += 1
    else {
      sound += 1
      for (const name of read.names) rules.set(name, read.allows ? -sound : sound)
    }
  }
  return {
    ...{ header, rules: sound, ignored, bad, badLines },
    verdict(cid) {
      let last = 0
      for (const name of rules.size === 0 ? [] : namesOf(cid)) {
        const rule = rules.get(name) ?? 0
        if (Math.abs(rule) > Math.abs(last)) last = rule
      }
      return last === 0 ? undefined : last > 0 ? 'deny' : 'allow'
    },
  }
}

/** Under which names rules may be about a CID. */
function namesOf(text: string): string[] {
  try {
    const cid = parseCidOfAnyBase(text)
    const name = base58btc.baseEncode(cid.multihash.bytes)
    const legacy = sha256(`${cid.toV1().toString(base32)}/`).toString('hex')
    return [name, `//${hiddenName(name)}`, `//${legacy}`]
  } catch {
    return []
  }
}

type Line = { names: readonly string[]; allows: boolean } | { problem: string }

const problem = (text: string): Line => ({ problem: text })

/** @returns undefined for a line that says nothing */
function readLine(text: string): Line | undefined {
  const [item = ''] = text.trim().split(/\s+/, 1)
  if (item === '' || item.startsWith('#')) return undefined
  const allows = item.startsWith('!')
  const rule = allows ? item.slice(1) : item
  if (rule.startsWith('//')) return readDoubleHash(rule.slice(2), allows)
  if (/^\/ipns\/./.test(rule)) return { names: [], allows }
  const [, cid, path] = /^\/ipfs\/([^/]+)(.*)$/.exec(rule) ?? []
  if (cid === undefined) return problem('it begins with none of /ipfs/, /ipns/ and //')
  const name = tryName(cid)
  if (name === undefined) return problem('what stands after /ipfs/ is no CID')
  return { names: path === '' || path === '/' || path === '/*' ? [name] : [], allows }
}

function readDoubleHash(text: string, allows: boolean): Line {
  const isLegacy = /^[0-9a-f]{64}$/i.test(text)
  const code = hashFunctionOf(text)
  if (!isLegacy && code === undefined) return problem('what stands after // is no hash')
  const names = [
    ...(isLegacy ? [`//${text.toLowerCase()}`] : []),
    ...(code === sha256Code ? [`//${text}`] : []),
  ]
  return { names, allows }
}

function hashFunctionOf(text: string): number | undefined {
  if (text.length > longestName) return undefined
  try {
    return decodeMultihash(base58btc.baseDecode(text)).code
  } catch {
    return undefined
  }
}

/** Of a CID, or of a multihash that stands alone. */
function tryName(text: string): string | undefined {
  try {
    return nameOfBlock(text)
  } catch {
    return hashFunctionOf(text) === undefined ? undefined : text
  }
}

function parseCidOfAnyBase(text: string): CID {
  if (text.length > longestName) throw new RangeError('it is too long for a CID')
  if (text.startsWith('k')) return CID.parse(text, base36)
  if (text.startsWith('f')) return CID.parse(text, base16)
  if (text.startsWith('u')) return CID.parse(text, base64url)
  return CID.parse(text)
}

function readHeader(text: string): { header: DenylistHeader; place: number; line: number } {
  const head = text.slice(0, longestHeader)
  const end = /^---[ \t\r]*(\n|$)/m.exec(head)
  if (end === null) return { header: {}, place: 0, line: 1 }
  const yaml = head.slice(0, end.index)
  const place = end.index + end[0].length
  return { header: headerOf(yaml), place, line: yaml.split('\n').length + 1 }
}

function headerOf(yaml: string): DenylistHeader {
  const parsed = parseHeader(yaml)
  if (parsed === null || parsed === undefined) return {}
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw new DenylistError('the header is not a list of fields')
  }
  const fields = parsed as Record<string, unknown>
  const { version = 1 } = fields
  if (version !== 1) {
    throw new DenylistError(
      `the list is of version ${String(version).slice(0, 20)}; this node knows version 1`,
    )
  }
  const texts = (['name', 'description', 'author'] as const).flatMap((field) => {
    const value = fields[field]
    return typeof value === 'string' ? [[field, value] as const] : []
  })
  return { ...Object.fromEntries(texts), ...hintsOf(fields.hints) }
}

function hintsOf(hints: unknown): Pick<DenylistHeader, 'hints'> {
  if (typeof hints !== 'object' || hints === null) return {}
  const known = Object.entries(hints).filter(
    (hint): hint is [string, string | number] => typeof hint[1] === 'string' || typeof hint[1] === 'number',
  )
  return { hints: Object.fromEntries(known) }
}

function parseHeader(yaml: string): unknown {
  try {
    // No aliases: some lines of them make millions of values.
    return parseYaml(yaml, { logLevel: 'error', maxAliasCount: 0, prettyErrors: false })
  } catch (cause) {
    throw new DenylistError('the header is not YAML', { cause })
  }
}

/** What a written list is made of. */
export type DenylistPart =
  | { readonly comment: string }
  /** A block; `hidden` is its double hash, so that the list does not lead to it. */
  | { readonly cid: string; readonly hidden?: boolean; readonly allow?: boolean }

/** The text of a list, in pieces of one line each. `parseDenylist` reads what it says. */
export function* denylistLines(
  header: DenylistHeader,
  parts: Iterable<DenylistPart>,
): Generator<string, undefined> {
  yield `${stringify({ version: 1, ...header }, { lineWidth: 0 })}---\n`
  for (const part of parts) {
    if ('comment' in part) yield `# ${part.comment.replaceAll(/\s+/g, ' ')}\n`
    else {
      const name = nameOfBlock(part.cid)
      yield `${part.allow ? '!' : ''}${part.hidden ? `//${hiddenName(name)}` : `/ipfs/${name}`}\n`
    }
  }
}
