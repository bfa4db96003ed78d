const { PI, abs, floor, max, sin } = Math

/** One period of a tone, so that an oscillator looks up what it would otherwise have to compute. */
export type WaveTable = Float32Array

/** A power of two, so that a phase wraps by its lower bits; fine enough that no interpolation noise is heard. */
const size = 4096
const mask = size - 1

/** Adds sines: `partials[n]` is the strength of the (n+1)th harmonic. The peak is 1. */
export function makeWaveTable(partials: readonly number[]): WaveTable {
  const table = new Float32Array(size)
  for (let index = 0; index < size; index++) {
    const phase = (2 * PI * index) / size
    table[index] = partials.reduce((sum, strength, n) => sum + strength * sin((n + 1) * phase), 0)
  }
  const peak = table.reduce((highest, value) => max(highest, abs(value)), 0)
  return table.map((value) => value / peak)
}

/** The table at a phase given in periods, between its two nearest entries. */
export function readWave(table: WaveTable, phase: number): number {
  const position = phase * size
  const index = floor(position)
  const before = table[index & mask] ?? 0
  const after = table[(index + 1) & mask] ?? 0
  return before + (after - before) * (position - index)
}
