import { type Child, element } from '../syndication/markup.ts'

/** What of JSON Schema the document uses. */
export type JsonSchema = {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly default?: unknown
}

/** An object as long as this is folded where it stands inside another one. */
const foldedFrom = 4

/** Where a schema of the document stands on the page. */
export const schemaAnchor = (name: string) => `schema-${name}`

/** How a type reads: a name that leads to its schema, or the type itself. */
export function typeText(schema: JsonSchema): Child[] {
  const { $ref, anyOf, oneOf, items, properties, additionalProperties } = schema
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1) ?? ''
    return [element('a', { href: `#${schemaAnchor(name)}` }, name)]
  }
  if (schema.const !== undefined) return [JSON.stringify(schema.const)]
  if (schema.enum !== undefined) return [schema.enum.map((one) => JSON.stringify(one)).join(' | ')]
  const choices = anyOf ?? oneOf
  if (choices !== undefined) {
    return choices.flatMap((choice, place) => [...(place === 0 ? [] : [' | ']), ...typeText(choice)])
  }
  if (items !== undefined) return ['list of ', ...typeText(items)]
  if (properties !== undefined) return objectText(schema)
  if (typeof additionalProperties === 'object') return ['map to ', ...typeText(additionalProperties)]
  return [[schema.type ?? 'anything'].flat().join(' | ')]
}

function objectText(schema: JsonSchema): Child[] {
  const entries = Object.entries(schema.properties ?? {})
  if (entries.length > foldedFrom) {
    return [element('details', {}, element('summary', {}, 'object'), propertyTable(schema))]
  }
  const inside = entries.flatMap(([name, property], place): Child[] => [
    `${place === 0 ? '' : ', '}${name}${schema.required?.includes(name) ? '' : '?'}: `,
    ...typeText(property),
  ])
  return ['{ ', ...inside, ' }']
}

/** The properties of an object, one a row. */
export function propertyTable({ properties = {}, required = [] }: JsonSchema): Child {
  const rows = Object.entries(properties).map(([name, property]) =>
    element(
      'tr',
      {},
      element('td', {}, element('code', {}, name), required.includes(name) ? '' : ' ?'),
      element('td', {}, ...typeText(property), limitsText(property)),
    ),
  )
  return element('table', {}, ...rows)
}

/** Bounds and form, where the schema tells them. */
export function limitsText({ minimum, maximum, maxLength, pattern, format, ...rest }: JsonSchema): Child {
  // Every integer of JSON has these.
  const isBound = (bound: number | undefined) =>
    bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER
  const limits = [
    isBound(minimum) ? `at least ${minimum}` : undefined,
    isBound(maximum) ? `at most ${maximum}` : undefined,
    maxLength === undefined ? undefined : `at most ${maxLength} characters`,
    rest.default === undefined ? undefined : `otherwise ${JSON.stringify(rest.default)}`,
    format,
  ].filter((limit) => limit !== undefined)
  if (limits.length === 0 && pattern === undefined) return undefined
  return element(
    'small',
    {},
    limits.join(', '),
    ...(pattern === undefined ? [] : [limits.length === 0 ? '' : ', ', element('code', {}, pattern)]),
  )
}
