import type { Entry, TagEntry } from './attributes.ts'
import { type Finding, finding } from './rules.ts'

export type Kind = 'master' | 'media'

/** Whether a playlist is a master or a media playlist: by the first tag that only one of them may have. */
export function kindOf(entries: readonly Entry[]): Kind | undefined {
  for (const entry of entries) {
    const kind = entry.kind === 'tag' ? entry.tag?.kind : undefined
    if (kind === 'master') return 'master'
    if (kind === 'media' || kind === 'segment') return 'media'
  }
  return undefined
}

/** The rules on which tags may stand together, how often, and with which form of value. */
export function* checkStructure(entries: readonly Entry[], kind: Kind | undefined): Generator<Finding> {
  if (kind === undefined) yield finding(1, '4.1 kind', 'it has no tag of either')
  const seen = new Set<string>()
  for (const entry of entries) {
    if (entry.kind === 'uri' || entry.tag === undefined) continue
    yield* checkPlace(entry, kind)
    yield* checkOnce(entry, seen.has(entry.name))
    yield* checkValue(entry)
    seen.add(entry.name)
  }
}

function* checkPlace({ number, name, tag }: TagEntry, kind: Kind | undefined): Generator<Finding> {
  if (kind === 'master' && tag?.kind === 'segment') yield finding(number, '4.3.2 segment-tag-in-master', name)
  if (kind === 'master' && tag?.kind === 'media') yield finding(number, '4.3.3 media-tag-in-master', name)
  if (kind === 'media' && tag?.kind === 'master') yield finding(number, '4.3.4 master-tag-in-media', name)
}

function* checkOnce({ number, name, tag }: TagEntry, isAgain: boolean): Generator<Finding> {
  if (!isAgain) return
  if (name === 'EXT-X-VERSION') yield finding(number, '4.3.1.2 version-once')
  if (tag?.kind === 'media') yield finding(number, '4.3.3 media-tag-once', name)
  if (tag?.kind === 'either') yield finding(number, '4.3.5 once', name)
}

function* checkValue({ number, name, value, tag }: TagEntry): Generator<Finding> {
  if (tag?.value === 'none' && value !== undefined) yield finding(number, '4.3 tag-value', `${name} has none`)
  if (tag?.value === 'integer' && !/^[0-9]{1,20}$/.test(value ?? '')) {
    yield finding(number, '4.3 tag-value', `${name} has a decimal integer`)
  }
}

/** The rules of RFC 8216 7 on what each protocol version brought, and took away. */
export function* checkVersion(entries: readonly Entry[]): Generator<Finding> {
  const tagEntries = entries.filter((entry) => entry.kind === 'tag')
  const version = Number(tagEntries.find(({ name }) => name === 'EXT-X-VERSION')?.value ?? 1)
  const isIFramesOnly = tagEntries.some(({ name }) => name === 'EXT-X-I-FRAMES-ONLY')
  for (const entry of tagEntries) {
    const [needed, what] = neededVersion(entry, isIFramesOnly)
    if (version < needed) {
      yield finding(
        entry.number,
        '7 version-too-low',
        `${what} needs ${needed}, the playlist says ${version}`,
      )
    }
    if (entry.name === 'EXT-X-ALLOW-CACHE' && version >= 7) {
      yield finding(entry.number, '7 removed', 'EXT-X-ALLOW-CACHE, by version 7')
    }
    if (entry.attributes.has('PROGRAM-ID') && version >= 6) {
      yield finding(entry.number, '7 removed', 'PROGRAM-ID, by version 6')
    }
  }
}

function neededVersion({ name, value, attributes }: TagEntry, isIFramesOnly: boolean): [number, string] {
  switch (name) {
    case 'EXTINF':
      return /^[0-9]+\./.test(value ?? '') ? [3, 'a duration with a fraction'] : [1, name]
    case 'EXT-X-BYTERANGE':
    case 'EXT-X-I-FRAMES-ONLY':
      return [4, name]
    case 'EXT-X-MAP':
      return [isIFramesOnly ? 5 : 6, name]
    case 'EXT-X-KEY':
    case 'EXT-X-SESSION-KEY':
      if (attributes.has('KEYFORMAT') || attributes.has('KEYFORMATVERSIONS')) return [5, 'KEYFORMAT']
      return attributes.has('IV') ? [2, 'IV'] : [1, name]
    case 'EXT-X-MEDIA':
      return attributes.get('INSTREAM-ID')?.startsWith('SERVICE') ? [7, 'INSTREAM-ID SERVICE'] : [1, name]
    default:
      return [1, name]
  }
}
