import * as z from 'zod'
import { searchText } from './entity.ts'
import type { Filter } from './search-matching.ts'

const tempo = z.coerce.number<string>().min(10).max(999)

/** What tracks can be narrowed to; users and playlists have none of it. */
export const trackFilters = {
  genre: searchText(60).optional(),
  mood: searchText(60).optional(),
  tag: searchText(30).optional(),
  /** Beats per minute, as a tag such as `bpm:124` tells them. */
  bpmMin: tempo.optional(),
  bpmMax: tempo.optional(),
  /** As a tag such as `key:F#m` tells it; flats and sharps are the same. */
  key: z
    .string()
    .regex(/^[A-Ga-g][#b♯♭]? ?(m|min|minor|maj|major)?$/, 'must be a key such as C, F#m or B♭ minor')
    .optional(),
}
export type TrackFilters = Partial<z.output<z.ZodObject<typeof trackFilters>>>

/** How each filter narrows tracks: a column, and what its value is made of. */
const conditions: Readonly<
  Record<keyof typeof trackFilters, { of: string; made: (value: string) => string }>
> = {
  genre: { of: 'genre_words =', made: (value) => `search_words(${value})` },
  mood: { of: 'mood_words =', made: (value) => `search_words(${value})` },
  tag: { of: 'tag_words @>', made: (value) => `ARRAY[search_words(${value})]` },
  bpmMin: { of: 'bpm >=', made: (value) => `${value}::real` },
  bpmMax: { of: 'bpm <=', made: (value) => `${value}::real` },
  key: { of: 'key =', made: (value) => `musical_key(${value})` },
}

/** Conditions on tracks.
 * @param table how they are called
 * @param before values that the statement has before these
 * @param isPrepared whether its plan is used again, so that values must not be made once a row; else it is made for them */
export function filterOf(
  asked: TrackFilters,
  { table, before, isPrepared }: { table: string; before: number; isPrepared: boolean } = {
    ...{ table: 'e', before: 5, isPrepared: true },
  },
): Filter {
  const given = (Object.keys(conditions) as (keyof typeof conditions)[]).filter(
    (name) => asked[name] !== undefined,
  )
  return {
    conditions: given.map((name, place) => {
      const { of, made } = conditions[name]
      const value = made(`$${before + place + 1}`)
      return `${table}.${of} ${isPrepared ? `(SELECT ${value})` : value}`
    }),
    values: given.map((name) => asked[name]),
  }
}
