import { parseFile } from 'music-metadata'

/** What a file says of itself, cut to what a publish action can carry. */
export type Tags = {
  readonly title?: string
  readonly artist?: string
  readonly album?: string
  readonly genre?: string
  readonly isrc?: string
  /** Where it stands on its album. */
  readonly disc?: number
  readonly number?: number
}

export type TaggedFile = {
  readonly tags: Tags
  /** The picture of the front, as it stands in the file. */
  readonly cover: Uint8Array | undefined
}

/** Bounds of the track action's texts, in UTF-16 units. */
const lineLimit = 200
const genreLimit = 60

/** A tag block can be as long as the file; reading one from a good disk takes milliseconds. */
const readTimeoutMs = 20_000

/** The tags of a file cannot be read. Nothing depends on them. */
export class TagsUnreadable extends Error {
  override readonly name = 'TagsUnreadable'
}

/** Reads the tags of a file of any kind. @throws TagsUnreadable */
export async function readTags(path: string): Promise<TaggedFile> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new TagsUnreadable('reading the tags took too long')),
    readTimeoutMs,
  )
  try {
    const { common } = await Promise.race([parseFile(path, { duration: false }), late.promise])
    const pictures = common.picture ?? []
    const front = pictures.find(({ type }) => type === 'Cover (front)') ?? pictures[0]
    return {
      tags: {
        ...given('title', line(common.title, lineLimit)),
        ...given('artist', line(common.artist ?? common.artists?.join(', '), lineLimit)),
        ...given('album', line(common.album, lineLimit)),
        ...given('genre', line(common.genre?.[0], genreLimit)),
        ...given('isrc', isrcOf(common.isrc)),
        ...given('disc', place(common.disk?.no)),
        ...given('number', place(common.track?.no)),
      },
      cover: front?.data,
    }
  } catch (cause) {
    if (cause instanceof TagsUnreadable) throw cause
    throw new TagsUnreadable(`the tags of the file cannot be read: ${messageOf(cause)}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

function given(name: keyof Tags, value: string | number | undefined): Tags {
  return value === undefined ? {} : { [name]: value }
}

/** Counted from one; zero and rubbish say nothing. */
function place(count: number | null | undefined): number | undefined {
  return Number.isSafeInteger(count) && Number(count) > 0 ? Number(count) : undefined
}

/** One line without control characters, as protocols and databases want it; undefined when nothing is left. */
function line(text: string | undefined, limit: number): string | undefined {
  // Some formats join several values by NUL; in others a value ends with one.
  const clean = text
    ?.toWellFormed()
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
  if (clean === undefined || clean === '') return undefined
  if (clean.length <= limit) return clean
  // Not in the middle of a surrogate pair.
  return clean
    .slice(0, limit)
    .replace(/[\uD800-\uDBFF]$/, '')
    .trim()
}

/** The first that has the form of an ISRC (ISO 3901), with or without hyphens. */
function isrcOf(values: readonly string[] | undefined): string | undefined {
  return values
    ?.map((value) => value.replaceAll(/[\s-]/g, '').toUpperCase())
    .find((value) => /^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$/.test(value))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
