/**
 * sha-256 (FIPS 180-4) of many short messages, four at a time, in the lanes of WebAssembly's vectors. A call to
 * node:crypto costs more than hashing 256 bytes does, and a block has over a thousand of these.
 *
 * The module is assembled here, from the rounds as the standard gives them, since nothing else in this project is
 * compiled. https://webassembly.github.io/spec/core/binary/
 */
export type Sha256Lanes = {
  /** The memory that messages and hashes lie in. */
  readonly memory: Uint8Array
  /**
   * Hashes four messages of 64 or 256 bytes that lie one after the other at `from`, and puts their hashes one after
   * the other at `to`. Both in bytes from `freeFrom` on.
   */
  hashFour(from: number, to: number, messageBytes: 64 | 256): void
}

/** Below it lie constants. */
export const freeFrom = 1_024
const pageBytes = 65_536
const tableBytes = 256

/** The first 32 bits of the fractional parts of the roots of primes: cube roots for rounds, square roots to begin. */
const rounds = rootsOfPrimes(64, 3)
const beginning = rootsOfPrimes(8, 2)

/** @param bytes how much memory there shall be */
export function openSha256Lanes(bytes: number): Sha256Lanes {
  const pages = Math.ceil(bytes / pageBytes)
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
  const module = new WebAssembly.Module(assemble(pages))
  const { exports } = new WebAssembly.Instance(module, { m: { m: memory } })
  const run = exports.f as (from: number, blocks: number, stride: number, table: number, to: number) => void
  const words = new Uint32Array(memory.buffer)
  words.set(rounds, 0)
  words.set(paddingTable(64), tableBytes / 4)
  words.set(paddingTable(256), (2 * tableBytes) / 4)
  return {
    memory: new Uint8Array(memory.buffer),
    hashFour(from, to, messageBytes) {
      run(from, messageBytes / 64, messageBytes, messageBytes === 64 ? tableBytes : 2 * tableBytes, to)
    },
  }
}

/** Round constants with the schedule added of the block that ends every message of a length: a one, zeros, and the
 * length in bits. It is the same for all of them, so nothing of it is left to compute. */
function paddingTable(messageBytes: number): Uint32Array {
  const schedule = new Uint32Array(64)
  schedule[0] = 0x80000000
  schedule[15] = messageBytes * 8
  const at = (index: number) => schedule[index] ?? 0
  const turn = (word: number, by: number) => (word >>> by) | (word << (32 - by))
  for (let t = 16; t < 64; t++) {
    const small0 = turn(at(t - 15), 7) ^ turn(at(t - 15), 18) ^ (at(t - 15) >>> 3)
    const small1 = turn(at(t - 2), 17) ^ turn(at(t - 2), 19) ^ (at(t - 2) >>> 10)
    schedule[t] = at(t - 16) + small0 + at(t - 7) + small1
  }
  return schedule.map((word, t) => word + (rounds[t] ?? 0))
}

function rootsOfPrimes(count: number, degree: 2 | 3): Uint32Array {
  const primes: number[] = []
  for (let candidate = 2; primes.length < count; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate)
  }
  return Uint32Array.from(primes, (prime) => fractionOfRoot(BigInt(prime), degree))
}

/** Exactly, by integers: the root of prime · 2^(32 · degree) is the prime's root times 2^32. */
function fractionOfRoot(prime: bigint, degree: 2 | 3): number {
  const target = prime << BigInt(32 * degree)
  let root = 0n
  for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) {
    if ((root + bit) ** BigInt(degree) <= target) root += bit
  }
  return Number(root & 0xffffffffn)
}

// Locals of the function: five integers, then vectors.
const [from, blocks, stride, table, to] = [0, 1, 2, 3, 4]
const state = vectors(5, 8)
const saved = vectors(13, 8)
const schedule = vectors(21, 16)
const spare = vectors(37, 4)
const scratch = 41
const vectorCount = 37

function assemble(pages: number): Uint8Array<ArrayBuffer> {
  const body = [
    ...[1, ...number(vectorCount), 0x7b],
    ...state.flatMap((local, index) => [...splat(beginning[index] ?? 0), ...set(local)]),
    // Once per block of 64 bytes of the messages, then once for the padding.
    ...[0x03, 0x40],
    ...loadWords(),
    ...keep(),
    ...Array.from({ length: 64 }, (_, t) => [...(t < 16 ? [] : extend(t)), ...round(t, scheduled(t))]).flat(),
    ...addKept(),
    ...[...get(from), 0x41, ...signed(64), 0x6a, ...set(from)],
    ...[...get(blocks), 0x41, 1, 0x6b, 0x22, ...number(blocks), 0x0d, 0, 0x0b],
    ...keep(),
    ...Array.from({ length: 64 }, (_, t) =>
      round(t, [...get(table), ...vector(0x09), 2, ...number(4 * t)]),
    ).flat(),
    ...addKept(),
    ...storeHashes(),
    0x0b,
  ]
  const type = [1, 0x60, 5, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0]
  const imports = [1, ...name('m'), ...name('m'), 2, 1, ...number(pages), ...number(pages)]
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, type),
    ...section(2, imports),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('f'), 0, 0]),
    ...section(10, [1, ...number(body.length), ...body]),
  ])
}

/** Sixteen words of each of the four messages, turned so that each vector holds one word of all four. */
function loadWords(): number[] {
  return [0, 4, 8, 12].flatMap((word) => {
    const loads = spare.flatMap((local, lane) => [
      ...[...get(from), ...get(stride), 0x41, ...signed(lane), 0x6c, 0x6a],
      ...[...vector(0x00), 2, ...number(4 * word), ...set(local)],
    ])
    return [...loads, ...turnAround(spare, schedule.slice(word, word + 4))]
  })
}

function storeHashes(): number[] {
  return [0, 4].flatMap((word) => [
    ...turnAround(state.slice(word, word + 4), spare),
    ...spare.flatMap((local, lane) => [
      ...[...get(to), ...get(local), ...vector(0x0b), 2, ...number(32 * lane + 4 * word)],
    ]),
  ])
}

/** Rows to columns, and the bytes of each word the other way round: sha-256 has the highest first. Two rows at a time
 * are laid into one another, then two of what comes out. `rows` hold nothing of use afterwards. */
function turnAround(rows: readonly number[], columns: readonly number[]): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = rows
  const [w = 0, x = 0, y = 0, z = 0] = columns
  const [high, low] = [swapped(0, 4, 1, 5), swapped(2, 6, 3, 7)]
  return [
    ...[...get(a), ...get(b), ...high, ...set(scratch)],
    ...[...get(a), ...get(b), ...low, ...set(a)],
    ...[...get(c), ...get(d), ...high, ...set(b)],
    ...[...get(c), ...get(d), ...low, ...set(c)],
    ...[...get(scratch), ...get(b), ...straight(2, 3, 6, 7), ...set(x)],
    ...[...get(scratch), ...get(b), ...straight(0, 1, 4, 5), ...set(w)],
    ...[...get(a), ...get(c), ...straight(0, 1, 4, 5), ...set(y)],
    ...[...get(a), ...get(c), ...straight(2, 3, 6, 7), ...set(z)],
  ]
}

function swapped(...words: number[]): number[] {
  return [...vector(0x0d), ...words.flatMap((word) => [3, 2, 1, 0].map((byte) => 4 * word + byte))]
}

function straight(...words: number[]): number[] {
  return [...vector(0x0d), ...words.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte))]
}

function keep(): number[] {
  return state.flatMap((local, index) => [...get(local), ...set(saved[index] ?? 0)])
}

function addKept(): number[] {
  return state.flatMap((local, index) => [...get(local), ...get(saved[index] ?? 0), ...add, ...set(local)])
}

/** One round; instead of moving eight variables on by one, it takes them to have moved.
 * @param word leaves the round's constant and word of the schedule, added up, on the stack */
function round(t: number, word: readonly number[]): number[] {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state.map((_, index) => {
    return state[(index + 8 - (t % 8)) % 8]
  })
  return [
    ...[...get(h), ...word, ...add],
    ...[...turned(e, 6), ...turned(e, 11), ...xor, ...turned(e, 25), ...xor, ...add],
    // Choice: f where e is set, g elsewhere.
    ...[...get(f), ...get(g), ...get(e), ...select, ...add, ...set(h)],
    ...[...get(d), ...get(h), ...add, ...set(d)],
    ...[...get(h), ...turned(a, 2), ...turned(a, 13), ...xor, ...turned(a, 22), ...xor, ...add],
    // Majority: where a and b differ it is what c is, elsewhere what both are.
    ...[...get(c), ...get(a), ...get(a), ...get(b), ...xor, ...select, ...add, ...set(h)],
  ]
}

function scheduled(t: number): number[] {
  return [...get(schedule[t % 16] ?? 0), ...splat(rounds[t] ?? 0), ...add]
}

function extend(t: number): number[] {
  const [oldest = 0, second = 0, ninth = 0, fourteenth = 0] = [16, 15, 7, 2].map((back) => {
    return schedule[(t - back) % 16]
  })
  return [
    ...[...get(oldest), ...get(ninth), ...add],
    ...[...turned(second, 7), ...turned(second, 18), ...xor, ...shifted(second, 3, right), ...xor, ...add],
    ...[...turned(fourteenth, 17), ...turned(fourteenth, 19), ...xor],
    ...[...shifted(fourteenth, 10, right), ...xor, ...add, ...set(oldest)],
  ]
}

function turned(local: number, by: number): number[] {
  return [...shifted(local, by, right), ...shifted(local, 32 - by, left), ...xor]
}

function shifted(local: number, by: number, direction: readonly number[]): number[] {
  return [...get(local), 0x41, ...signed(by), ...direction]
}

const add = vector(0xae)
const left = vector(0xab)
const right = vector(0xad)
const xor = vector(0x51)
const select = vector(0x52)

function splat(word: number): number[] {
  const bytes = [word, word >>> 8, word >>> 16, word >>> 24].map((byte) => byte & 0xff)
  return [...vector(0x0c), ...bytes, ...bytes, ...bytes, ...bytes]
}

function vectors(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

function get(local: number): number[] {
  return [0x20, ...number(local)]
}

function set(local: number): number[] {
  return [0x21, ...number(local)]
}

function vector(operation: number): number[] {
  return [0xfd, ...number(operation)]
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...number(content.length), ...content]
}

function name(letter: string): number[] {
  return [1, letter.charCodeAt(0)]
}

/** Unsigned LEB128. */
function number(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...number(value >>> 7)]
}

/** Signed LEB128 of what is not negative. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)]
}
