import { SubsonicError } from './errors.ts'
import { maximumSongs } from './songs.ts'

/** What a request asks for, of its query and its form; where both have a name, the form counts. */
export type Parameters = {
  /** The first value; undefined when there is none, or an empty one. @throws SubsonicError 0 for NUL or an unbearable length */
  text(name: string): string | undefined
  /** @throws SubsonicError 10 when it is missing */
  required(name: string): string
  /** Every value under a name. @throws SubsonicError 0 for too many, and as `text` */
  list(name: string): string[]
  /** A whole number; the nearest bound for one outside of both. @throws SubsonicError 0 for anything else */
  whole(name: string, bounds: { least: number; most: number; instead: number }): number
  /** @throws SubsonicError 0 for anything but true and false */
  flag(name: string, instead: boolean): boolean
}

const longestValue = 4_000

/** Values that may be given many times: the songs of a playlist are the most. */
const longestList = maximumSongs

export function readParameters(...sources: readonly unknown[]): Parameters {
  const values = new Map<string, string[]>()
  for (const source of sources) {
    for (const [name, value] of Object.entries(source ?? {})) {
      const list = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string')
      values.set(name, list)
    }
  }

  const list = (name: string) => {
    const given = values.get(name) ?? []
    if (given.length > longestList) {
      throw new SubsonicError('generic', `'${name}' may be given at most ${longestList} times`)
    }
    return given.map((value) => checked(name, value))
  }
  const text = (name: string) => list(name)[0] || undefined
  return {
    list,
    text,
    required(name) {
      const value = text(name)
      if (value === undefined)
        throw new SubsonicError('missingParameter', `the parameter '${name}' is missing`)
      return value
    },
    whole(name, { least, most, instead }) {
      const value = text(name)
      if (value === undefined) return instead
      if (!/^-?\d{1,15}$/.test(value)) throw new SubsonicError('generic', `'${name}' must be a whole number`)
      return Math.min(most, Math.max(least, Number(value)))
    },
    flag(name, instead) {
      const value = text(name)?.toLowerCase()
      if (value === undefined) return instead
      if (value !== 'true' && value !== 'false')
        throw new SubsonicError('generic', `'${name}' must be true or false`)
      return value === 'true'
    },
  }
}

function checked(name: string, value: string): string {
  if (value.length > longestValue) throw new SubsonicError('generic', `'${name}' is too long`)
  if (value.includes('\0')) throw new SubsonicError('generic', `'${name}' must not hold NUL characters`)
  return value
}
