import { addEcho, addRoom, master } from './effects.ts'
import { type Channel, players } from './instruments.ts'
import { createRandom } from './random.ts'
import type { Instrument, Score } from './score.ts'

const { round } = Math

export const sampleRate = 44_100

/** Long enough for the last chord and its room to fade. */
const tailSeconds = 4
const fadeInSeconds = 0.05
const fadeOutSeconds = 3
/** 1 dB below full scale: what encoders add between samples does not clip. */
const peak = 10 ** (-1 / 20)

type Bus = 'pad' | 'melody' | 'bass' | 'drums'

const busOf: Record<Instrument, Bus> = {
  pad: 'pad',
  lead: 'melody',
  pluck: 'melody',
  bass: 'bass',
  kick: 'drums',
  snare: 'drums',
  hat: 'drums',
  openHat: 'drums',
}

/** Plays a score: stereo samples from -1 to 1 at 44.1 kHz, the same for the same score and seed. */
export function synthesise(score: Score, seed: number): Channel {
  const secondsPerBeat = 60 / score.beatsPerMinute
  const toSamples = (beats: number) => round(beats * secondsPerBeat * sampleRate)
  const length = toSamples(score.beats) + tailSeconds * sampleRate
  const random = createRandom(seed)
  const buses: Record<Bus, Channel> = {
    pad: silence(length),
    melody: silence(length),
    bass: silence(length),
    drums: silence(length),
  }
  for (const note of score.notes) {
    const played = {
      ...note,
      startSample: toSamples(note.beat),
      lengthSamples: toSamples(note.beats),
      sampleRate,
    }
    players[note.instrument](played, buses[busOf[note.instrument]], random)
  }
  makeRoomForKicks(buses.pad, score, toSamples)

  const mix = silence(length)
  for (const bus of Object.values(buses)) addTo(mix, bus, 1)
  addEcho(buses.melody, mix, toSamples(0.75), 0.45, 0.35)
  const inRoom = silence(length)
  addTo(inRoom, buses.pad, 0.5)
  addTo(inRoom, buses.melody, 0.7)
  addTo(inRoom, buses.drums, 0.12)
  addRoom(inRoom, mix, 0.5)
  fade(mix)
  master(mix, 1.1, peak)
  return mix
}

/** The pad steps back for a moment at each kick, so that the two do not blur. */
function makeRoomForKicks(pad: Channel, score: Score, toSamples: (beats: number) => number): void {
  const duckSamples = round(0.22 * sampleRate)
  for (const kick of score.notes.filter((note) => note.instrument === 'kick')) {
    const start = toSamples(kick.beat)
    for (let offset = 0; offset < duckSamples; offset++) {
      const gain = 1 - 0.45 * kick.strength * (1 - offset / duckSamples)
      pad.left[start + offset] = (pad.left[start + offset] ?? 0) * gain
      pad.right[start + offset] = (pad.right[start + offset] ?? 0) * gain
    }
  }
}

function fade(mix: Channel): void {
  const length = mix.left.length
  const rise = fadeInSeconds * sampleRate
  const fall = fadeOutSeconds * sampleRate
  for (const side of [mix.left, mix.right]) {
    for (let index = 0; index < rise; index++) side[index] = (side[index] ?? 0) * (index / rise)
    for (let index = 0; index < fall; index++) {
      const at = length - 1 - index
      side[at] = (side[at] ?? 0) * (index / fall)
    }
  }
}

function addTo(target: Channel, source: Channel, gain: number): void {
  for (const side of ['left', 'right'] as const) {
    const to = target[side]
    const from = source[side]
    for (let index = 0; index < to.length; index++) to[index] = (to[index] ?? 0) + (from[index] ?? 0) * gain
  }
}

function silence(length: number): Channel {
  return { left: new Float32Array(length), right: new Float32Array(length) }
}
