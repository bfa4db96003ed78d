import type { Channel } from './instruments.ts'

const { abs, max, tanh } = Math

/** An echo that goes from side to side, each time weaker. */
export function addEcho(
  from: Channel,
  to: Channel,
  delaySamples: number,
  feedback: number,
  level: number,
): void {
  const length = from.left.length
  const left = new Float32Array(length)
  const right = new Float32Array(length)
  for (let index = delaySamples; index < length; index++) {
    const before = index - delaySamples
    const mono = ((from.left[before] ?? 0) + (from.right[before] ?? 0)) / 2
    left[index] = mono + (right[before] ?? 0) * feedback
    right[index] = (left[before] ?? 0) * feedback
    to.left[index] = (to.left[index] ?? 0) + (left[index] ?? 0) * level
    to.right[index] = (to.right[index] ?? 0) + (right[index] ?? 0) * level
  }
}

/** Delays (in samples at 44.1 kHz) that have no common divisor, so that no pitch rings out of the room. */
const combs = [1557, 1617, 1491, 1422, 1277, 1356] as const
const allPasses = [225, 556] as const
/** How much later the right side hears each reflection: what makes a room wide. */
const spreadSamples = 23

/** A room after Schroeder: parallel combs whose highs fade first, then all-passes. */
export function addRoom(from: Channel, to: Channel, level: number): void {
  for (const [side, spread] of [
    ['left', 0],
    ['right', spreadSamples],
  ] as const) {
    const wet = new Float32Array(from[side].length)
    for (const delay of combs) addComb(from[side], wet, delay + spread, 0.8, 0.35)
    for (const delay of allPasses) passAll(wet, delay + spread, 0.5)
    const target = to[side]
    for (let index = 0; index < target.length; index++) {
      target[index] = (target[index] ?? 0) + ((wet[index] ?? 0) / combs.length) * level
    }
  }
}

function addComb(
  input: Float32Array,
  output: Float32Array,
  delay: number,
  feedback: number,
  damping: number,
): void {
  const line = new Float32Array(delay)
  let position = 0
  let damped = 0
  for (let index = 0; index < input.length; index++) {
    const delayed = line[position] ?? 0
    damped = delayed * (1 - damping) + damped * damping
    line[position] = (input[index] ?? 0) + damped * feedback
    output[index] = (output[index] ?? 0) + delayed
    position = position + 1 === delay ? 0 : position + 1
  }
}

function passAll(samples: Float32Array, delay: number, feedback: number): void {
  const line = new Float32Array(delay)
  let position = 0
  for (let index = 0; index < samples.length; index++) {
    const delayed = line[position] ?? 0
    const value = samples[index] ?? 0
    line[position] = value + delayed * feedback
    samples[index] = delayed - value * feedback
    position = position + 1 === delay ? 0 : position + 1
  }
}

/** Bends what comes near full scale instead of cutting it, then sets the highest sample to `peak`. */
export function master(mix: Channel, drive: number, peak: number): void {
  let highest = 0
  for (const side of [mix.left, mix.right]) {
    for (let index = 0; index < side.length; index++) {
      const value = tanh((side[index] ?? 0) * drive)
      side[index] = value
      highest = max(highest, abs(value))
    }
  }
  const gain = highest > 0 ? peak / highest : 1
  for (const side of [mix.left, mix.right]) {
    for (let index = 0; index < side.length; index++) side[index] = (side[index] ?? 0) * gain
  }
}
