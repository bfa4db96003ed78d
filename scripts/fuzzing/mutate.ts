import type { Random } from '../sample-music/random.ts'
import { looksLikeJson, mutateJson } from './mutate-json.ts'
import { mutateText } from './mutate-text.ts'
import type { Input } from './target.ts'

const mostChanges = 6
/** Far above any seed; what grows beyond it tells nothing new. */
const longestInput = 3 << 20

/** Some changes to one of the seeds, perhaps with parts of another one. */
export function mutate(seeds: readonly Input[], random: Random): Input {
  let input = choose(seeds, random) ?? ''
  const changes = 1 + below(mostChanges, random)
  for (let count = 0; count < changes; count++) {
    const other = choose(seeds, random) ?? input
    const changed = change(input, other, random)
    if (changed.length <= longestInput) input = changed
  }
  return input
}

function change(input: Input, other: Input, random: Random): Input {
  if (looksLikeJson(input) && random() < 0.6) return mutateJson(input, random)
  if (typeof input === 'string') return mutateText(input, String(other), random)
  return mutateBytes(input, typeof other === 'string' ? input : other, random)
}

const bytes = [0, 1, 0x20, 0x7f, 0x80, 0xbf, 0xf7, 0xff]
/** Lengths and counts as they are got wrong, and some that are claimed by whoever wants memory. */
const numbers = [0, 1, 7, 8, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff]

type Change = (input: Uint8Array, random: Random, other: Uint8Array) => Uint8Array

const changes: readonly Change[] = [
  (input, random) =>
    written(input, random, 1, (copy, at) => copy.fill((copy[at] ?? 0) ^ (1 << below(8, random)), at, at + 1)),
  (input, random) =>
    written(input, random, 1, (copy, at) => copy.fill(choose(bytes, random) ?? 0, at, at + 1)),
  (input, random) =>
    written(input, random, 4, (copy, at) => viewOf(copy).setUint32(at, choose(numbers, random) ?? 0)),
  (input, random) =>
    written(input, random, 4, (copy, at) => viewOf(copy).setUint32(at, choose(numbers, random) ?? 0, true)),
  (input, random) =>
    written(input, random, 2, (copy, at) => viewOf(copy).setUint16(at, choose(numbers, random) ?? 0)),
  (input, random) =>
    written(input, random, 8, (copy, at) =>
      viewOf(copy).setBigUint64(at, BigInt(choose(numbers, random) ?? 0) << 32n),
    ),
  (input, random) => input.slice(0, below(input.length + 1, random)),
  (input, random) => {
    const [from, to] = stretch(input, random)
    return joined(input.subarray(0, from), input.subarray(to))
  },
  (input, random) => {
    const [from, to] = stretch(input, random)
    return joined(input.subarray(0, to), input.subarray(from))
  },
  (input, random) => {
    const [from, to] = stretch(input, random)
    return new Uint8Array(input).fill(choose(bytes, random) ?? 0, from, to)
  },
  (input, random) => {
    const at = below(input.length + 1, random)
    const inserted = Uint8Array.from({ length: 1 + below(40, random) }, () => below(256, random))
    return joined(input.subarray(0, at), inserted, input.subarray(at))
  },
  (input, random, other) => {
    const [from, to] = stretch(other, random)
    const at = below(input.length + 1, random)
    return joined(
      input.subarray(0, at),
      other.subarray(from, to),
      input.subarray(random() < 0.5 ? at : at + to - from),
    )
  },
]

function mutateBytes(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  return (choose(changes, random) ?? ((same) => same))(input, random, other)
}

/** What a value of so many bytes is written into, where there is room for it: mostly near the beginning, where headers are. */
function written(
  input: Uint8Array,
  random: Random,
  length: number,
  write: (copy: Uint8Array, at: number) => unknown,
): Uint8Array {
  if (input.length < length) return input
  const copy = new Uint8Array(input)
  const room = input.length - length + 1
  write(copy, below(random() < 0.5 ? Math.min(room, 256) : room, random))
  return copy
}

function stretch(input: Uint8Array, random: Random): [number, number] {
  const from = below(input.length + 1, random)
  return [from, Math.min(input.length, from + 1 + below(random() < 0.7 ? 16 : input.length + 1, random))]
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

function viewOf(copy: Uint8Array): DataView {
  return new DataView(copy.buffer, copy.byteOffset, copy.byteLength)
}

export function below(bound: number, random: Random): number {
  return Math.floor(random() * bound)
}

export function choose<T>(choices: readonly T[], random: Random): T | undefined {
  return choices[below(choices.length, random)]
}
