import * as z from 'zod'
import type { Filter } from '../reading/search-matching.ts'

/** More than any app asks for at once. */
const maximumValues = 20

const text = z
  .string()
  .max(60)
  .refine((given) => !given.includes('\0'), 'must not hold NUL characters')

/** Values of one filter, as `genre=a&genre=b`, any of which will do. */
const anyOf = z
  .union([text, z.array(text).max(maximumValues)])
  .transform((given) => [given].flat().filter((value) => value !== ''))

/** Of which an app sends none while nothing is typed or chosen. */
export const optionalText = text.transform((given) => (given === '' ? undefined : given)).optional()

/** Words to look for: what has no letter and no digit, such as nothing at all, finds nothing. */
export const wordsQuery = (maximum: number) =>
  z
    .string()
    .max(maximum)
    .refine((given) => !given.includes('\0'), 'must not hold NUL characters')

export const hasWords = (given: string) => /[\p{L}\p{N}]/u.test(given)

const tempo = z.coerce.number<string>().min(0).max(1_000)

/** What the pioneer narrows a search for tracks to. */
export const trackFilters = {
  genre: anyOf.optional(),
  mood: anyOf.optional(),
  /** As the pioneer spells them (`B flat minor`), or as `Bbm`. */
  key: anyOf.optional(),
  bpm_min: tempo.optional(),
  bpm_max: tempo.optional(),
}

type Asked = z.output<z.ZodObject<typeof trackFilters>>

/** Conditions on tracks; what is no key stands for no track. */
export function filterOf({ genre = [], mood = [], key = [], bpm_min, bpm_max }: Asked): Filter {
  const values: string[] = []
  // Searches number their own values up to $5.
  const numbered = (value: string) => `$${values.push(value) + 5}`
  const oneOf = (column: string, made: (value: string) => string, given: readonly string[]) =>
    given.length === 0
      ? []
      : [`${column} IN (${given.map((one) => `(SELECT ${made(numbered(one))})`).join(', ')})`]
  const conditions = [
    ...oneOf('e.genre_words', (value) => `search_words(${value})`, genre),
    ...oneOf('e.mood_words', (value) => `search_words(${value})`, mood),
    ...oneOf('e.key', (value) => `musical_key(${value})`, key.map(inSigns)),
    ...(bpm_min === undefined ? [] : [`e.bpm >= ${numbered(String(bpm_min))}::real`]),
    ...(bpm_max === undefined ? [] : [`e.bpm <= ${numbered(String(bpm_max))}::real`]),
  ]
  return { conditions, values }
}

/** `B flat minor` as `Bb minor`. */
function inSigns(key: string): string {
  return key
    .toLowerCase()
    .replace(/ ?flat/, 'b')
    .replace(/ ?sharp/, '#')
}
