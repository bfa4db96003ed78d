import { createHash } from 'node:crypto'
import type { CopyValue } from '@hexachord/platform/postgres'
import { cidFromDigest } from '@hexachord/protocol/cids'
import { createRandom, type Random } from '../../sample-music/random.ts'

/** How much there is of what. */
export type CatalogueSize = {
  readonly tracks: number
  readonly users: number
  readonly plays: number
}

/** Everybody whose feed is asked for follows so many. */
export const followedByReaders = 30

const words = 40_000
const firstMs = 1_700_000_000_000
const yearMs = 365 * 86_400_000
const genres = [
  'Electronic',
  'Hip-Hop',
  'Jazz',
  'Ambient',
  'Techno',
  'Folk',
  'Metal',
  'Classical',
  'Soul',
  'Dub',
]
const moods = ['calm', 'dark', 'bright', 'restless']
const keys = ['C', 'Am', 'F#m', 'Bb', 'D', 'Em']
const syllables =
  'ba be bí bo bu da dé di dö du ka ke ki kó ku la le lí lo lu ma mé mi mo mú na ne ni ño nu ra re ri ro rü sa se si so su ta té ti to tu va ve vi vø ver ton gar lin mor sel ash eth orn'.split(
    ' ',
  )

/** Rows of a made-up catalogue: words, listeners and plays are spread as they are in life, few with much and many with
 * little. The same seed gives the same rows. */
export function makeCatalogue(size: CatalogueSize) {
  const vocabulary = makeVocabulary(createRandom(1))
  const users = Array.from({ length: size.users }, (_, n) => addressOf(n))
  const userOf = (n: number) => users[n] ?? ''
  const idOf = (n: number) => `${userOf(authorNumber(n, size))}-${n}`
  const titleOf = (n: number) => wordsOf(vocabulary, createRandom(n + 7), 2, 4)

  return {
    vocabulary,
    userOf,
    idOf,
    titleOf,
    *tracks(from: number, to: number): Generator<CopyValue[]> {
      for (let n = from; n < to; n++) yield trackRow(n, titleOf(n))
    },
    *profiles(): Generator<CopyValue[]> {
      for (let n = 0; n < size.users; n++) {
        const name = wordsOf(vocabulary, createRandom(n + 3), 1, 2)
        yield [userOf(n), `user${n}`, name, '{}', firstMs + n, firstMs + n, ...placeOf(`user ${n}`)]
      }
    },
    *playlists(): Generator<CopyValue[]> {
      for (let n = 0; n < size.users / 4; n++) {
        const random = createRandom(n + 5)
        const tracks = Array.from({ length: 10 }, () => idOf(anyOf(random, size.tracks)))
        const title = wordsOf(vocabulary, random, 2, 3)
        const id = `${userOf(n)}-${2 * size.tracks + n}`
        yield [id, userOf(n), title, n % 3 === 0, false, tracks, firstMs + n, firstMs + n, ...placeOf(id)]
      }
    },
    *follows(): Generator<CopyValue[]> {
      const random = createRandom(11)
      for (let n = 0; n < size.users; n++) {
        const followed = new Set<number>()
        // Every tenth reads a feed.
        const count = n % 10 === 0 ? Math.min(followedByReaders, size.users - 1) : 2
        while (followed.size < count) followed.add(seldomOf(random, size.users))
        for (const other of followed) yield edgeRow(userOf(n), userOf(other), firstMs + anyOf(random, yearMs))
      }
    },
    marks: (seed: number, each: number) => marksOf({ random: createRandom(seed), each, size, userOf, idOf }),
    *plays(): Generator<CopyValue[]> {
      // Zipf: of the track at place n some n^-0.8, all together as many as there are to be.
      let sum = 0
      for (let n = 1; n <= size.tracks; n++) sum += n ** -0.8
      const random = createRandom(13)
      for (let n = 1; n <= size.tracks; n++) {
        const count = Math.round((size.plays * n ** -0.8) / sum)
        const days = Math.min(count, 4)
        for (let day = 0; day < days; day++) {
          const date = new Date(firstMs + yearMs - 86_400_000 * (day * 9 + anyOf(random, 9)))
          yield [idOf(n - 1), date.toISOString().slice(0, 10), Math.ceil(count / days)]
        }
      }
    },
  }

  function trackRow(n: number, title: string): CopyValue[] {
    const random = createRandom(n + 1)
    const id = idOf(n)
    const author = authorNumber(n, size)
    const artist = wordsOf(vocabulary, createRandom(author + 3), 1, 2)
    const tags = [wordOf(vocabulary, random), `bpm:${70 + anyOf(random, 110)}`, `key:${oneOf(random, keys)}`]
    const createdAtMs = firstMs + anyOf(random, yearMs)
    return [
      ...[id, userOf(author), title, artist, null, oneOf(random, genres), oneOf(random, moods), tags],
      ...[`${title}, made in a bedroom.`, null, 'CC-BY-4.0', n % 50 === 49, 154_000],
      ...[
        cidOf(id),
        digestOf(`root ${id}`),
        100_000,
        21_000_000,
        operatorAddresses,
        createdAtMs,
        createdAtMs,
      ],
      ...placeOf(id),
    ]
  }
}
export type Catalogue = ReturnType<typeof makeCatalogue>

/** Where the rows of {@link makeCatalogue} go. */
export const columnsOf = {
  track:
    'id author title artist album genre mood tags description isrc licence unlisted duration_ms manifest storage_root leaf_count byte_length operators created_at_ms updated_at_ms block log_index digest',
  profile: 'id handle name links created_at_ms updated_at_ms block log_index digest',
  playlist: 'id author title album unlisted tracks created_at_ms updated_at_ms block log_index digest',
  edge: 'id author target since_ms block log_index digest',
  play: 'track day count',
} as const

/** Saves and reposts: nobody marks a track twice. */
function* marksOf({
  random,
  each,
  size,
  userOf,
  idOf,
}: {
  random: Random
  /** Per user. */
  each: number
  size: CatalogueSize
  userOf(n: number): string
  idOf(n: number): string
}): Generator<CopyValue[]> {
  for (let n = 0; n < size.users; n++) {
    const marked = new Set<number>()
    while (marked.size < Math.min(each, size.tracks)) marked.add(seldomOf(random, size.tracks))
    for (const track of marked) yield edgeRow(userOf(n), idOf(track), firstMs + anyOf(random, yearMs))
  }
}

/** When the last of it happened: the clock of whoever ranks it. */
export const lastMs = firstMs + yearMs

export const operatorAddresses = [1, 2, 3].map((n) => addressOf(-n))

/** Authors are one user in four. */
function authorNumber(track: number, { users }: CatalogueSize): number {
  return (track * 7_919) % Math.max(1, Math.floor(users / 4))
}

function edgeRow(author: string, target: string, sinceMs: number): CopyValue[] {
  return [`${author}/${target}`, author, target, sinceMs, ...placeOf(author)]
}

function placeOf(name: string): CopyValue[] {
  return [1, 1, digestOf(name)]
}

function addressOf(n: number): string {
  return `0x${createHash('sha1').update(`user ${n}`).digest('hex')}`
}

function digestOf(name: string): string {
  return `0x${createHash('sha256').update(name).digest('hex')}`
}

function cidOf(name: string): string {
  return cidFromDigest(createHash('sha256').update(name).digest(), 'dag-json')
}

function makeVocabulary(random: Random): string[] {
  const made = new Set<string>()
  while (made.size < words) {
    made.add(Array.from({ length: 2 + anyOf(random, 3) }, () => oneOf(random, syllables)).join(''))
  }
  return [...made]
}

function wordsOf(vocabulary: readonly string[], random: Random, least: number, most: number): string {
  const count = least + anyOf(random, most - least + 1)
  return Array.from({ length: count }, () => wordOf(vocabulary, random)).join(' ')
}

/** The commonest word stands in one text of five. */
function wordOf(vocabulary: readonly string[], random: Random): string {
  return vocabulary[seldomOf(random, vocabulary.length)] ?? ''
}

/** The first few often, most of them seldom. */
function seldomOf(random: Random, count: number): number {
  return Math.min(count - 1, Math.floor(count ** random()) - 1)
}

export function anyOf(random: Random, count: number): number {
  return Math.floor(random() * count)
}

function oneOf(random: Random, choices: readonly string[]): string {
  return choices[anyOf(random, choices.length)] ?? ''
}
