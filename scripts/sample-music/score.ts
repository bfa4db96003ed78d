import { createRandom, pick, type Random } from './random.ts'

export type Instrument = 'pad' | 'bass' | 'lead' | 'pluck' | 'kick' | 'snare' | 'hat' | 'openHat'

/** One note: when and how long in beats, what pitch (MIDI number; drums ignore it), how strong (0 to 1). */
export type Note = { instrument: Instrument; beat: number; beats: number; pitch: number; strength: number }

export type Score = {
  beatsPerMinute: number
  /** Where the last bar ends; sound rings on after it. */
  beats: number
  sections: { name: SectionName; beat: number; beats: number }[]
  notes: Note[]
}

type SectionName = 'intro' | 'verse' | 'chorus' | 'bridge' | 'outro'
type Chord = { root: number; tones: readonly [number, ...number[]] }

const beatsPerBar = 4

/** In A minor; chords as MIDI numbers around middle C, voiced so that voices move little. */
const chords = {
  am9: { root: 33, tones: [57, 60, 64, 71] },
  fmaj7: { root: 29, tones: [57, 60, 64, 65] },
  c: { root: 36, tones: [55, 60, 64, 67] },
  g: { root: 31, tones: [55, 59, 62, 67] },
  em7: { root: 28, tones: [55, 59, 62, 64] },
  dm7: { root: 38, tones: [57, 60, 62, 65] },
  e7: { root: 28, tones: [56, 59, 62, 64] },
} as const satisfies Record<string, Chord>

/** The pentatonic of A minor: any of its notes stands well on any of the chords. */
const scale = [69, 72, 74, 76, 79, 81, 84, 86] as const

const plans: Record<SectionName, { progression: Chord[]; plays: Partial<Record<Voice, true>> }> = {
  intro: { progression: [chords.am9, chords.fmaj7, chords.c, chords.g], plays: { pad: true, pluck: true } },
  verse: {
    progression: [chords.am9, chords.fmaj7, chords.c, chords.g],
    plays: { pad: true, bass: true, drums: true, lead: true },
  },
  chorus: {
    progression: [chords.fmaj7, chords.g, chords.am9, chords.c],
    plays: { pad: true, bass: true, drums: true, lead: true, pluck: true },
  },
  bridge: {
    progression: [chords.dm7, chords.em7, chords.fmaj7, chords.e7],
    plays: { pad: true, bass: true, lead: true },
  },
  outro: {
    progression: [chords.am9, chords.fmaj7, chords.am9, chords.am9],
    plays: { pad: true, pluck: true },
  },
}

type Voice = 'pad' | 'bass' | 'drums' | 'lead' | 'pluck'

/** Bars of each section. `whole` is about two and a half minutes; `short` has the same parts, for tests. */
const forms = {
  whole: [
    ['intro', 8],
    ['verse', 12],
    ['chorus', 8],
    ['verse', 8],
    ['bridge', 8],
    ['chorus', 12],
    ['outro', 4],
  ],
  short: [
    ['intro', 1],
    ['verse', 4],
    ['chorus', 2],
    ['outro', 1],
  ],
} as const satisfies Record<string, [SectionName, number][]>

export type Form = keyof typeof forms

/** Writes the music: the same for the same seed. */
export function compose(seed: number, form: Form = 'whole'): Score {
  const random = createRandom(seed)
  const motifs = { verse: makeMotif(random), chorus: makeMotif(random), bridge: makeMotif(random) }
  const notes: Note[] = []
  const sections: Score['sections'] = []
  let beat = 0
  for (const [name, bars] of forms[form]) {
    sections.push({ name, beat, beats: bars * beatsPerBar })
    const { progression, plays } = plans[name]
    for (let bar = 0; bar < bars; bar++) {
      const chord = progression[bar % progression.length] ?? chords.am9
      const isLast = bar === bars - 1
      if (plays.pad) notes.push(...padBar(chord, beat))
      if (plays.bass) notes.push(...bassBar(chord, beat, random))
      if (plays.drums) notes.push(...drumBar(beat, isLast, name === 'chorus', random))
      if (plays.pluck) notes.push(...pluckBar(chord, beat, random))
      if (plays.lead && name !== 'intro' && name !== 'outro') {
        notes.push(...leadBar(motifs[name], bar, chord, beat, random))
      }
      beat += beatsPerBar
    }
  }
  return { beatsPerMinute: 96, beats: beat, sections, notes: notes.sort((a, b) => a.beat - b.beat) }
}

function padBar(chord: Chord, beat: number): Note[] {
  return chord.tones.map((pitch) => ({ instrument: 'pad', beat, beats: beatsPerBar, pitch, strength: 0.6 }))
}

function bassBar(chord: Chord, beat: number, random: Random): Note[] {
  const octaveUp = chord.root + 12
  const rhythm = pick(random, [
    [0, 1.5, 2.5],
    [0, 0.75, 2, 3.5],
    [0, 1.5, 2, 3],
  ])
  return rhythm.map((at, index) => {
    const next = rhythm[index + 1] ?? beatsPerBar
    const pitch = index === rhythm.length - 1 && random() < 0.4 ? octaveUp : chord.root
    return {
      instrument: 'bass',
      beat: beat + at,
      beats: (next - at) * 0.9,
      pitch,
      strength: at === 0 ? 0.9 : 0.7,
    }
  })
}

/** Off-beat quavers come a little late, as a drummer plays them. */
const swingBeats = 0.04

function drumBar(beat: number, hasFill: boolean, isFull: boolean, random: Random): Note[] {
  const hit = (instrument: Instrument, at: number, strength: number): Note => ({
    instrument,
    beat: beat + at + (at % 1 === 0.5 ? swingBeats : 0),
    beats: 0.25,
    pitch: 0,
    strength: strength * (0.9 + 0.1 * random()),
  })
  const hats = Array.from({ length: 8 }, (_, index) =>
    isFull && index === 7 ? hit('openHat', 3.5, 0.5) : hit('hat', index / 2, index % 2 === 0 ? 0.55 : 0.35),
  )
  const bar = [
    ...hats,
    hit('kick', 0, 1),
    hit('kick', isFull ? 2.5 : 2, 0.85),
    hit('snare', 1, 0.8),
    hit('snare', 3, 0.85),
  ]
  if (random() < 0.3) bar.push(hit('kick', 1.75, 0.5))
  if (hasFill) for (const at of [2.5, 2.75, 3.25, 3.5, 3.75]) bar.push(hit('snare', at, 0.3 + at / 8))
  return bar
}

function pluckBar(chord: Chord, beat: number, random: Random): Note[] {
  const [, ...upper] = chord.tones
  const order = [0, 1, 2, 1, 0, 2, 1, 2]
  return order.map((step, index) => ({
    instrument: 'pluck',
    beat: beat + index / 2,
    beats: 0.5,
    pitch: (upper[step % upper.length] ?? chord.tones[0]) + 12,
    strength: 0.35 + 0.2 * random(),
  }))
}

/** An answer goes one step higher than its motif, still within the scale. */
const highestStep = scale.length - 3

/** A rhythm of two bars and the steps of the scale that it takes: what makes a melody one melody. */
type Motif = { at: number; beats: number; step: number }[]

function makeMotif(random: Random): Motif {
  const rhythm = pick(random, [
    [0, 1, 1.5, 2, 3, 4.5, 5, 6],
    [0.5, 1, 2, 2.5, 3.5, 4, 5.5, 6],
    [0, 0.5, 1.5, 3, 4, 4.5, 5.5, 6.5],
  ])
  let step = 2 + Math.floor(random() * 3)
  return rhythm.map((at, index) => {
    const next = rhythm[index + 1] ?? beatsPerBar * 2
    const leap = pick(random, [-2, -1, -1, 1, 1, 2])
    // A walk that turns round at the ends, so that it never stays on one note.
    step += step + leap < 0 || step + leap > highestStep ? -leap : leap
    return { at, beats: Math.min(2, next - at) * 0.95, step }
  })
}

/** Two bars of the motif, then two that answer it: higher, and ending on a note of the chord. */
function leadBar(motif: Motif, bar: number, chord: Chord, beat: number, random: Random): Note[] {
  const half = bar % 2
  const isAnswer = bar % 4 >= 2
  const within = motif.filter(({ at }) => Math.floor(at / beatsPerBar) === half)
  return within.map(({ at, beats, step }, index) => {
    const isEnd = isAnswer && half === 1 && index === within.length - 1
    const raised = Math.min(scale.length - 1, step + (isAnswer ? 1 : 0))
    const pitch = isEnd ? nearestTone(chord, scale[raised] ?? 76) : (scale[raised] ?? 76)
    return {
      instrument: 'lead',
      beat: beat + at - half * beatsPerBar,
      beats: isEnd ? beats + 0.5 : beats,
      pitch,
      strength: 0.65 + 0.2 * random(),
    }
  })
}

function nearestTone(chord: Chord, pitch: number): number {
  const candidates = chord.tones.flatMap((tone) => [tone + 12, tone + 24])
  return candidates.reduce((best, each) => (Math.abs(each - pitch) < Math.abs(best - pitch) ? each : best))
}
