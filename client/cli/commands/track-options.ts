import { readFile } from 'node:fs/promises'
import type { Subject } from '@hexachord/protocol/names'
import type { TrackDetails } from '@hexachord/sdk/publishing'
import { type Command, InvalidArgumentError } from 'commander'
import { UsageError } from '../settings/index.ts'
import { several, subjectIn } from './named.ts'

type Details = { -readonly [Field in keyof TrackDetails]?: Exclude<TrackDetails[Field], undefined> }

/** What options say of a track that stands in no option of its own, such as `--title`. */
export type DetailsOptions = {
  details?: string
  mood?: string
  isrc?: string
  bpm?: number
  key?: string
  tag?: string[]
  remixOf?: { track: Subject; credit: string }[]
  stemOf?: { track: Subject; part: string }
  credit?: { name: string; role: string }[]
}

const fields = [
  ...['title', 'artist', 'album', 'genre', 'mood', 'tags', 'description', 'isrc', 'licence', 'unlisted'],
  ...['releaseAtMs', 'remixOf', 'stemOf', 'credits'],
]

/** Options of commands that say what a track is. */
export function addDetailsOptions(command: Command): Command {
  return command
    .option('--mood <text>')
    .option('--isrc <code>', 'of a single recording, with or without hyphens')
    .option('--bpm <number>', 'beats per minute, by which it is found', beatsPerMinute)
    .option('--key <key>', 'such as F#m or Bb, by which it is found', musicalKey)
    .option('--tag <word>', 'given several times, all of them, in place of those that are there', several)
    .option(
      '--remix-of <track=credit>',
      "what it is made of, such as '0x…-1=Mornings by Guido'; several times",
      origins,
    )
    .option('--stem-of <track=part>', "a track of yours of which it is one part, such as '0x…-1=drums'", stem)
    .option('--credit <role=name>', "who did what, such as 'mix=Ada'; several times", credits)
    .option('--details <file>', `JSON with any of ${fields.join(', ')}; options come before it`)
}

/** @throws UsageError for a file that is no such JSON */
export async function readDetails(options: DetailsOptions): Promise<Details> {
  const { details: path, mood, isrc, remixOf, stemOf, credit: credits } = options
  const inFile = path === undefined ? {} : await readFields(path)
  const said = { mood, isrc: isrc?.replaceAll('-', '').toUpperCase(), remixOf, stemOf, credits }
  const given = Object.entries(said).filter(([, value]) => value !== undefined)
  const all: Details = { ...inFile, ...Object.fromEntries(given) }
  const tags = tagsUpon(all.tags ?? [], options)
  return tags === undefined ? all : { ...all, tags }
}

/** What a track is tagged with; tempo and key are tags, too. @returns undefined where nothing is said of it */
export function tagsUpon(
  before: readonly string[],
  { bpm, key, tag }: DetailsOptions,
): readonly string[] | undefined {
  if (bpm === undefined && key === undefined && tag === undefined) return undefined
  const isSaid = (one: string) =>
    (bpm !== undefined && one.startsWith('bpm:')) || (key !== undefined && one.startsWith('key:'))
  const isFact = (one: string) => /^(bpm|key):/.test(one)
  const kept = before.filter((one) => !isSaid(one) && (tag === undefined || isFact(one)))
  const facts = [...(bpm === undefined ? [] : [`bpm:${bpm}`]), ...(key === undefined ? [] : [`key:${key}`])]
  return [...kept, ...(tag ?? []), ...facts]
}

async function readFields(path: string): Promise<Details> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new UsageError(`--details: ${path} cannot be read as JSON: ${String(cause)}`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`--details: ${path} holds no object such as {"mood":"calm"}`)
  }
  const unknown = Object.keys(value).find((name) => !fields.includes(name))
  if (unknown !== undefined) {
    throw new UsageError(`--details: ${path}: '${unknown}' is none of ${fields.join(', ')}`)
  }
  return value
}

function beatsPerMinute(text: string): number {
  const number = Number(text)
  if (/^\d{2,3}(\.\d{1,2})?$/.test(text) && number >= 10) return number
  throw new InvalidArgumentError('It must be a number from 10 to 999.')
}

function musicalKey(text: string): string {
  if (/^[A-G][#b]?m?$/.test(text)) return text
  throw new InvalidArgumentError('It must be a key such as C, F#m or Bb.')
}

function origins(text: string, before: { track: Subject; credit: string }[] = []) {
  const { name, words } = pair(text)
  return [...before, { track: trackIn(name), credit: words }]
}

function stem(text: string) {
  const { name, words } = pair(text)
  return { track: trackIn(name), part: words }
}

function credits(text: string, before: { name: string; role: string }[] = []) {
  const { name: role, words: name } = pair(text)
  return [...before, { name, role }]
}

function pair(text: string): { name: string; words: string } {
  const [, name = '', words = ''] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name.trim() !== '' && words.trim() !== '') return { name: name.trim(), words: words.trim() }
  throw new InvalidArgumentError('It must be two parts with = between.')
}

function trackIn(text: string): Subject {
  try {
    return subjectIn(text, 'track id')
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}
