import type { Random } from './random.ts'
import type { Instrument, Note } from './score.ts'
import { makeWaveTable, readWave, type WaveTable } from './wave-table.ts'

const { PI, abs, ceil, cos, exp, max, min, sin } = Math

/** Where an instrument puts its samples: left and right, from `start` on. */
export type Channel = { left: Float32Array; right: Float32Array }

export type PlayedNote = Note & { startSample: number; lengthSamples: number; sampleRate: number }

/** Adds one note to a channel. */
export type Player = (note: PlayedNote, channel: Channel, random: Random) => void

const harmonics = (count: number, fall: number) =>
  Array.from({ length: count }, (_, n) => 1 / (n + 1) ** fall)

const padWave = makeWaveTable(harmonics(9, 1.6))
const bassWave = makeWaveTable([1, 0.45, 0.25, 0.08])
const leadWave = makeWaveTable([1, 0.12, 0.3, 0.06, 0.12, 0, 0.05])
const pluckWave = makeWaveTable(harmonics(6, 1.2))

export const players: Record<Instrument, Player> = {
  /** Three detuned voices across the stereo field, slow to come and to go. */
  pad(note, channel) {
    const envelope = attackRelease(0.7, 1.3)
    for (const [cents, pan, gain] of [
      [-7, -0.7, 0.34],
      [0, 0, 0.32],
      [8, 0.7, 0.34],
    ] as const) {
      addTone(note, channel, {
        wave: padWave,
        cents,
        pan,
        gain: gain * 0.22,
        envelope,
        vibrato: [0.23 + pan / 20, 4],
      })
    }
  },
  bass(note, channel) {
    addTone(note, channel, {
      wave: bassWave,
      cents: 0,
      pan: 0,
      gain: 0.42,
      envelope: decaying(0.006, 1.4, 0.08),
    })
  },
  lead(note, channel) {
    const envelope = decaying(0.02, 1.1, 0.25)
    addTone(note, channel, { wave: leadWave, cents: 3, pan: 0.15, gain: 0.15, envelope, vibrato: [5.2, 9] })
    addTone(note, channel, { wave: leadWave, cents: -3, pan: -0.15, gain: 0.15, envelope, vibrato: [5, 9] })
  },
  pluck(note, channel) {
    const pan = note.pitch % 2 === 0 ? -0.5 : 0.5
    addTone(note, channel, { wave: pluckWave, cents: 0, pan, gain: 0.16, envelope: decaying(0.004, 5, 0.12) })
  },
  /** A tone that falls from 130 Hz to 46 Hz. */
  kick(note, channel) {
    let phase = 0
    strike(note, channel, { seconds: 0.42, gain: 0.85, pan: 0 }, (seconds) => {
      phase += (46 + 84 * exp(-seconds * 34)) / note.sampleRate
      return sin(2 * PI * phase) * exp(-seconds * 9)
    })
  },
  /** A short tone under a burst of noise. */
  snare(note, channel, random) {
    const bright = highPass(random, 0.55)
    strike(note, channel, { seconds: 0.26, gain: 0.42, pan: 0.05 }, (seconds) => {
      const body = sin(2 * PI * 186 * seconds) * exp(-seconds * 28)
      return 0.55 * body + 0.8 * bright() * exp(-seconds * 17)
    })
  },
  hat(note, channel, random) {
    const bright = highPass(random, 0.15)
    strike(
      note,
      channel,
      { seconds: 0.07, gain: 0.8, pan: -0.25 },
      (seconds) => bright() * exp(-seconds * 70),
    )
  },
  openHat(note, channel, random) {
    const bright = highPass(random, 0.15)
    strike(
      note,
      channel,
      { seconds: 0.4, gain: 0.55, pan: -0.25 },
      (seconds) => bright() * exp(-seconds * 10),
    )
  },
}

/** The strength of a note at `seconds` after its start, when it is held for `heldSeconds`; and how long it rings on. */
type Envelope = { at(seconds: number, heldSeconds: number): number; ringSeconds: number }

function attackRelease(attackSeconds: number, releaseSeconds: number): Envelope {
  return {
    ringSeconds: releaseSeconds,
    at(seconds, held) {
      const rise = min(1, seconds / attackSeconds)
      const fall = seconds < held ? 1 : max(0, 1 - (seconds - held) / releaseSeconds)
      // Squared, since the ear takes a straight line for a sudden one.
      return rise * rise * fall * fall
    },
  }
}

function decaying(attackSeconds: number, decayPerSecond: number, releaseSeconds: number): Envelope {
  return {
    ringSeconds: releaseSeconds,
    at(seconds, held) {
      const rise = min(1, seconds / attackSeconds)
      const fall = seconds < held ? 1 : max(0, 1 - (seconds - held) / releaseSeconds)
      return rise * exp(-seconds * decayPerSecond) * fall
    },
  }
}

type Tone = {
  wave: WaveTable
  cents: number
  /** -1 left to 1 right. */
  pan: number
  gain: number
  envelope: Envelope
  /** Times per second, and how far in cents. */
  vibrato?: readonly [number, number]
}

function addTone(note: PlayedNote, channel: Channel, tone: Tone): void {
  const { startSample, lengthSamples, sampleRate, strength } = note
  const { wave, envelope, vibrato = [0, 0] } = tone
  const heldSeconds = lengthSamples / sampleRate
  const end = min(channel.left.length, startSample + lengthSamples + ceil(envelope.ringSeconds * sampleRate))
  const step = frequencyOf(note.pitch, tone.cents) / sampleRate
  const [vibratoHz, vibratoCents] = vibrato
  const { left, right } = gains(tone.pan, tone.gain * strength)
  // Voices that start in the same phase would cancel each other in the same places.
  let phase = abs(tone.cents * 0.137 + note.pitch * 0.071)
  for (let index = startSample; index < end; index++) {
    const seconds = (index - startSample) / sampleRate
    // Near 1, 2^(c/1200) is 1 + c ln2/1200.
    const bend = 1 + vibratoCents * 0.000578 * sin(2 * PI * vibratoHz * seconds)
    phase += step * bend
    const value = readWave(wave, phase) * envelope.at(seconds, heldSeconds)
    channel.left[index] = (channel.left[index] ?? 0) + value * left
    channel.right[index] = (channel.right[index] ?? 0) + value * right
  }
}

function strike(
  note: PlayedNote,
  channel: Channel,
  hit: { seconds: number; gain: number; pan: number },
  sample: (seconds: number) => number,
): void {
  const { startSample, sampleRate, strength } = note
  const end = min(channel.left.length, startSample + ceil(hit.seconds * sampleRate))
  const { left, right } = gains(hit.pan, hit.gain * strength)
  for (let index = startSample; index < end; index++) {
    const value = sample((index - startSample) / sampleRate)
    channel.left[index] = (channel.left[index] ?? 0) + value * left
    channel.right[index] = (channel.right[index] ?? 0) + value * right
  }
}

/** Noise without its low part; the higher `kept` (0 to 1), the more body it has. */
function highPass(random: Random, kept: number): () => number {
  let last = 0
  let output = 0
  return () => {
    const white = random() * 2 - 1
    output = kept * (output + white - last)
    last = white
    return output
  }
}

/** Equal power: a sound is as loud in the middle as at the side. */
function gains(pan: number, gain: number): { left: number; right: number } {
  const angle = ((pan + 1) * PI) / 4
  return { left: cos(angle) * gain, right: sin(angle) * gain }
}

function frequencyOf(pitch: number, cents: number): number {
  return 440 * 2 ** ((pitch - 69) / 12 + cents / 1200)
}
