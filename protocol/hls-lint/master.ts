import type { Entry, TagEntry } from './attributes.ts'
import { checkUri } from './lines.ts'
import { type Finding, finding } from './rules.ts'

const groupTypes = ['AUDIO', 'VIDEO', 'SUBTITLES', 'CLOSED-CAPTIONS'] as const

/** The rules for a master playlist. */
export function* checkMaster(entries: readonly Entry[], base: string): Generator<Finding> {
  const tagEntries = entries.filter((entry) => entry.kind === 'tag')
  yield* checkUriLines(entries, base)
  yield* checkGroups(tagEntries.filter(({ name }) => name === 'EXT-X-MEDIA'))
  for (const entry of tagEntries) {
    const uri = entry.attributes.get('URI')
    if (uri !== undefined) yield* checkUri(uri, entry.number, base)
    if (entry.name === 'EXT-X-MEDIA') yield* checkRendition(entry)
    if (entry.name === 'EXT-X-STREAM-INF' || entry.name === 'EXT-X-I-FRAME-STREAM-INF') {
      yield* checkVariant(entry, tagEntries)
    }
    if (entry.name === 'EXT-X-SESSION-KEY') yield* checkSessionKey(entry)
  }
  yield* checkSessionData(tagEntries.filter(({ name }) => name === 'EXT-X-SESSION-DATA'))
}

function* checkUriLines(entries: readonly Entry[], base: string): Generator<Finding> {
  for (const [index, entry] of entries.entries()) {
    if (entry.kind === 'tag') {
      if (entry.name === 'EXT-X-STREAM-INF' && entries[index + 1]?.kind !== 'uri') {
        yield finding(entry.number, '4.3.4.2 uri-follows')
      }
      continue
    }
    yield* checkUri(entry.text, entry.number, base)
    const before = entries[index - 1]
    if (before?.kind !== 'tag' || before.name !== 'EXT-X-STREAM-INF') {
      yield finding(entry.number, '4.3.4.2 uri-follows', 'no EXT-X-STREAM-INF stands before this URI')
    }
  }
}

function* checkVariant(
  { number, attributes }: TagEntry,
  tagEntries: readonly TagEntry[],
): Generator<Finding> {
  const bandwidth = Number(attributes.get('BANDWIDTH') ?? Number.NaN)
  const average = Number(attributes.get('AVERAGE-BANDWIDTH') ?? Number.NaN)
  if (bandwidth === 0 || average > bandwidth) {
    yield finding(number, '4.3.4.2 bandwidth', `${bandwidth}, average ${average}`)
  }
  const codecs = attributes.get('CODECS')
  if (codecs?.split(',').some((codec) => !/^[A-Za-z0-9-]{4}(\.[A-Za-z0-9]+)*$/.test(codec))) {
    yield finding(number, '4.3.4.2 codecs', `'${codecs}'`)
  }
  for (const type of groupTypes) {
    const group = attributes.get(type)
    if (group === undefined || (type === 'CLOSED-CAPTIONS' && group === 'NONE')) continue
    const isDefined = tagEntries.some(
      (entry) =>
        entry.name === 'EXT-X-MEDIA' &&
        entry.attributes.get('TYPE') === type &&
        entry.attributes.get('GROUP-ID') === group,
    )
    if (!isDefined) yield finding(number, '4.3.4.2 group-exists', `${type}="${group}"`)
  }
}

function* checkRendition({ number, attributes }: TagEntry): Generator<Finding> {
  const type = attributes.get('TYPE')
  if (type === undefined) return
  const isCaptions = type === 'CLOSED-CAPTIONS'
  if (!groupTypes.some((known) => known === type)) yield finding(number, '4.3.4.1 media', `TYPE=${type}`)
  if (isCaptions && attributes.has('URI')) yield finding(number, '4.3.4.1 media', 'captions have no URI')
  if (isCaptions && !attributes.has('INSTREAM-ID')) {
    yield finding(number, '4.3.4.1 media', 'captions need an INSTREAM-ID')
  }
  if (type !== 'SUBTITLES' && attributes.has('FORCED')) {
    yield finding(number, '4.3.4.1 media', 'FORCED is for subtitles')
  }
  for (const name of ['DEFAULT', 'AUTOSELECT', 'FORCED']) {
    if (!['YES', 'NO', undefined].includes(attributes.get(name))) {
      yield finding(number, '4.3.4.1 media', `${name} is YES or NO`)
    }
  }
  if (attributes.get('DEFAULT') === 'YES' && attributes.get('AUTOSELECT') === 'NO') {
    yield finding(number, '4.3.4.1 media', 'the default is selected automatically')
  }
}

function* checkGroups(renditions: readonly TagEntry[]): Generator<Finding> {
  const names = new Set<string>()
  const defaults = new Set<string>()
  for (const { number, attributes } of renditions) {
    const group = JSON.stringify([attributes.get('TYPE'), attributes.get('GROUP-ID')])
    const name = JSON.stringify([group, attributes.get('NAME')])
    if (names.has(name)) yield finding(number, '4.3.4.1.1 group', `NAME="${attributes.get('NAME')}" again`)
    names.add(name)
    if (attributes.get('DEFAULT') !== 'YES') continue
    if (defaults.has(group)) yield finding(number, '4.3.4.1.1 group', 'a second default')
    defaults.add(group)
  }
}

function* checkSessionData(entries: readonly TagEntry[]): Generator<Finding> {
  const seen = new Set<string>()
  for (const { number, attributes } of entries) {
    if (attributes.has('VALUE') === attributes.has('URI')) {
      yield finding(number, '4.3.4.4 session-data', 'it has one of VALUE and URI')
    }
    const name = JSON.stringify([attributes.get('DATA-ID'), attributes.get('LANGUAGE')])
    if (seen.has(name))
      yield finding(number, '4.3.4.4 session-data', `DATA-ID ${attributes.get('DATA-ID')} again`)
    seen.add(name)
  }
}

function* checkSessionKey({ number, attributes }: TagEntry): Generator<Finding> {
  if (attributes.get('METHOD') === 'NONE') yield finding(number, '4.3.4.5 session-key', 'METHOD=NONE')
  if (!attributes.has('URI')) yield finding(number, '4.3.4.5 session-key', 'there is no URI')
}
