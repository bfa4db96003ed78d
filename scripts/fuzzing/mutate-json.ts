import type { Random } from '../sample-music/random.ts'
import { below, choose } from './mutate.ts'
import { mutateText } from './mutate-text.ts'
import type { Input } from './target.ts'

const values: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), 1e300],
  ...[
    '',
    '0',
    'a',
    '\0',
    '\ud800',
    '\u202e',
    'a'.repeat(300),
    `0x${'00'.repeat(32)}`,
    `0x${'ff'.repeat(20)}`,
  ],
  ...[[], [[]], {}, { '/': '' }, { '/': 'bafkqaaa' }, { '/': { bytes: 'AA' } }, [0, 0, 0]],
]
const keys = ['', '/', 'v', 'kind', '__proto__', 'constructor', 'toString', 'length', 'then', 'prev', '0']

export function looksLikeJson(input: Input): boolean {
  const first = typeof input === 'string' ? input.charCodeAt(0) : input[0]
  return first === 0x7b || first === 0x5b
}

/** Changes a value somewhere in the document. It is written with sorted keys, as canonical forms want it; what is no
 * JSON any more stays what it is. */
export function mutateJson(input: Input, random: Random): Input {
  try {
    const text = typeof input === 'string' ? input : new TextDecoder().decode(input)
    const written = spell(changed(JSON.parse(text), random))
    return typeof input === 'string' ? written : new TextEncoder().encode(written)
  } catch {
    return input
  }
}

/** Goes down by chance and changes what it comes to. */
function changed(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random() < 0.15) return other(value, random)
  if (Array.isArray(value)) {
    const at = below(value.length, random)
    const kind = random()
    if (value.length === 0 || kind < 0.1) return [...value, choose(values, random)]
    if (kind < 0.2) return value.toSpliced(at, 1)
    if (kind < 0.3) return [...value, ...value.slice(at)]
    return value.with(at, changed(value[at], random))
  }
  const entries = Object.entries(value)
  const at = below(entries.length, random)
  const kind = random()
  const [key = '', member] = entries[at] ?? []
  if (entries.length === 0 || kind < 0.1) {
    return Object.fromEntries([...entries, [choose(keys, random), choose(values, random)]])
  }
  if (kind < 0.2) return Object.fromEntries(entries.toSpliced(at, 1))
  if (kind < 0.25) return Object.fromEntries(entries.with(at, [choose(keys, random) ?? '', member]))
  return Object.fromEntries(entries.with(at, [key, changed(member, random)]))
}

function other(value: unknown, random: Random): unknown {
  const kind = random()
  if (kind < 0.1) return nested(value, 1 + below(90, random))
  if (typeof value === 'string' && kind < 0.7) return mutateText(value, value, random)
  if (typeof value === 'number' && kind < 0.5) return value + (below(3, random) - 1) * 2 ** below(54, random)
  return choose(values, random)
}

function nested(value: unknown, depth: number): unknown {
  return depth === 0 ? value : [nested(value, depth - 1)]
}

function spell(value: unknown): string {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(spell).join(',')}]`
  const members = Object.entries(value).sort(([one], [two]) => (one < two ? -1 : one > two ? 1 : 0))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${spell(member)}`).join(',')}}`
}
