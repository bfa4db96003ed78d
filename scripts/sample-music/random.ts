const { floor, imul } = Math

/** Numbers from 0 up to 1 that follow from the seed alone: the same music on every machine. */
export type Random = () => number

/** The generator mulberry32: one 32-bit word of state, good enough for music. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function pick<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[floor(random() * choices.length)] ?? choices[0]
}
