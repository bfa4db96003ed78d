import type { Entry, TagEntry } from './attributes.ts'
import { checkUri, type UriLine } from './lines.ts'
import { type Finding, finding } from './rules.ts'

/** Tags that are about the one segment that follows them. */
const perSegment = new Set(['EXTINF', 'EXT-X-BYTERANGE', 'EXT-X-DISCONTINUITY', 'EXT-X-PROGRAM-DATE-TIME'])

const byteRange = /^([0-9]+)(?:@([0-9]+))?$/

/** The rules for a media playlist as a whole, and for its segments in turn. */
export function* checkMedia(entries: readonly Entry[], base: string): Generator<Finding> {
  const tagEntries = entries.filter((entry) => entry.kind === 'tag')
  const find = (name: string) => tagEntries.find((entry) => entry.name === name)
  const last = entries.at(-1)?.number ?? 1

  const type = find('EXT-X-PLAYLIST-TYPE')
  if (type && type.value !== 'EVENT' && type.value !== 'VOD') {
    yield finding(type.number, '4.3.3.5 playlist-type', `'${type.value ?? ''}'`)
  }
  if (type?.value === 'VOD' && !find('EXT-X-ENDLIST')) yield finding(last, '4.3.3.5 vod-ends')
  const target = find('EXT-X-TARGETDURATION')
  if (!target) yield finding(last, '4.3.3.1 target-duration-required')
  const dateRange = find('EXT-X-DATERANGE')
  if (dateRange && !find('EXT-X-PROGRAM-DATE-TIME')) {
    yield finding(dateRange.number, '4.3.2.7 program-date-time')
  }
  yield* checkOrder(entries)
  yield* checkSegments(entries, base, Number(target?.value ?? Number.POSITIVE_INFINITY))
}

function* checkOrder(entries: readonly Entry[]): Generator<Finding> {
  let isSegmentSeen = false
  let isDiscontinuitySeen = false
  for (const entry of entries) {
    if (entry.kind === 'uri') isSegmentSeen = true
    else if (entry.name === 'EXT-X-DISCONTINUITY') isDiscontinuitySeen = true
    else if (entry.name === 'EXT-X-MEDIA-SEQUENCE' && isSegmentSeen) {
      yield finding(entry.number, '4.3.3.2 media-sequence-late')
    } else if (entry.name === 'EXT-X-DISCONTINUITY-SEQUENCE' && (isSegmentSeen || isDiscontinuitySeen)) {
      yield finding(entry.number, '4.3.3.3 discontinuity-sequence-late')
    }
  }
}

function* checkSegments(entries: readonly Entry[], base: string, target: number): Generator<Finding> {
  /** Tags since the last segment, by name. */
  const pending = new Map<string, TagEntry>()
  let hasMap = false
  let key: TagEntry | undefined
  let lastRangeUri: string | undefined
  for (const entry of entries) {
    if (entry.kind === 'tag') {
      const before = pending.get(entry.name)
      if (entry.name === 'EXTINF' && before)
        yield finding(before.number, '4.3.2 no-segment-follows', entry.name)
      if (perSegment.has(entry.name)) pending.set(entry.name, entry)
      if (entry.name === 'EXT-X-KEY') key = entry
      if (entry.name === 'EXT-X-MAP') {
        hasMap = true
        const needsIv = key?.attributes.get('METHOD') === 'AES-128' && !key.attributes.has('IV')
        if (needsIv) yield finding(entry.number, '4.3.2.5 map-iv')
      }
      yield* checkTag(entry, base, target)
      continue
    }
    yield* checkUri(entry.text, entry.number, base)
    if (!pending.has('EXTINF')) yield finding(entry.number, '4.3.2.1 extinf-required')
    if (!hasMap && isFragmentedMp4(entry, base)) yield finding(entry.number, '3.3 map-before-fmp4')
    const range = pending.get('EXT-X-BYTERANGE')
    if (range && !range.value?.includes('@') && lastRangeUri !== entry.text) {
      yield finding(range.number, '4.3.2.2 byterange-offset')
    }
    lastRangeUri = range ? entry.text : undefined
    pending.clear()
  }
  for (const [name, { number }] of pending) yield finding(number, '4.3.2 no-segment-follows', name)
}

function* checkTag(entry: TagEntry, base: string, target: number): Generator<Finding> {
  const { name, number, value = '', attributes } = entry
  const uri = attributes.get('URI')
  if (uri !== undefined) yield* checkUri(uri, number, base)
  if (name === 'EXTINF') yield* checkDuration(number, value, target)
  if (name === 'EXT-X-BYTERANGE' && !byteRange.test(value)) {
    yield finding(number, '4.3.2.2 byterange-syntax', `'${value}'`)
  }
  if (name === 'EXT-X-KEY') yield* checkKey(entry)
  const mapRange = name === 'EXT-X-MAP' ? attributes.get('BYTERANGE') : undefined
  // No segment stands before a map whose range it could continue.
  if (mapRange !== undefined && byteRange.exec(mapRange)?.[2] === undefined) {
    yield finding(number, '4.3.2.5 map-byterange', `'${mapRange}'`)
  }
  if (name === 'EXT-X-PROGRAM-DATE-TIME' && !isDateTime(value)) {
    yield finding(number, '4.3.2.6 date-time', `'${value}'`)
  }
  if (name === 'EXT-X-DATERANGE') yield* checkDateRange(entry)
}

function* checkDuration(number: number, value: string, target: number): Generator<Finding> {
  const duration = /^([0-9]+(?:\.[0-9]+)?),/.exec(value)?.[1]
  if (duration === undefined) yield finding(number, '4.3.2.1 extinf-syntax', `'${value}'`)
  else if (Math.round(Number(duration)) > target) {
    yield finding(number, '4.3.3.1 target-duration-exceeded', `${duration} s, the target is ${target} s`)
  }
}

function* checkKey({ number, attributes }: TagEntry): Generator<Finding> {
  const method = attributes.get('METHOD')
  if (method === undefined) return
  if (!['NONE', 'AES-128', 'SAMPLE-AES'].includes(method)) yield finding(number, '4.3.2.4 key', method)
  if (method === 'NONE' && attributes.size > 1) yield finding(number, '4.3.2.4 key', 'NONE is not alone')
  if (method !== 'NONE' && !attributes.has('URI')) yield finding(number, '4.3.2.4 key', 'there is no URI')
  const iv = attributes.get('IV')
  if (iv !== undefined && !/^0[xX][0-9A-F]{32}$/.test(iv)) yield finding(number, '4.3.2.4 key', `IV=${iv}`)
  const versions = attributes.get('KEYFORMATVERSIONS')
  if (versions !== undefined && !/^[1-9][0-9]*(\/[1-9][0-9]*)*$/.test(versions)) {
    yield finding(number, '4.3.2.4 key', `KEYFORMATVERSIONS="${versions}"`)
  }
}

function* checkDateRange({ number, attributes }: TagEntry): Generator<Finding> {
  for (const name of ['START-DATE', 'END-DATE']) {
    const date = attributes.get(name)
    if (date !== undefined && !isDateTime(date))
      yield finding(number, '4.3.2.7 date-range', `${name}="${date}"`)
  }
  const start = Date.parse(attributes.get('START-DATE') ?? '')
  if (Date.parse(attributes.get('END-DATE') ?? '') < start) {
    yield finding(number, '4.3.2.7 date-range', 'it ends before it starts')
  }
  if (!attributes.has('END-ON-NEXT')) return
  if (attributes.get('END-ON-NEXT') !== 'YES')
    yield finding(number, '4.3.2.7 date-range', 'END-ON-NEXT is YES')
  if (!attributes.has('CLASS')) yield finding(number, '4.3.2.7 date-range', 'there is no CLASS')
  if (attributes.has('DURATION') || attributes.has('END-DATE')) {
    yield finding(number, '4.3.2.7 date-range', 'it has an end, and END-ON-NEXT')
  }
}

function isDateTime(text: string): boolean {
  const form = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?$/
  return form.test(text) && !Number.isNaN(Date.parse(text.replace(',', '.').replace(/([+-]\d{2})$/, '$1:00')))
}

function isFragmentedMp4({ text }: UriLine, base: string): boolean {
  if (!URL.canParse(text, base)) return false
  const { pathname, searchParams } = new URL(text, base)
  // Gateways carry the name of a block as a parameter.
  return /\.(m4s|m4a|m4v|mp4|cmfa|cmfv)$/.test(searchParams.get('filename') ?? pathname)
}
