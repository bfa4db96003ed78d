import * as z from 'zod'
import { checked } from '../checked/index.ts'
import {
  dagJsonLinkSchema,
  decodeDagJson,
  encodeDagJson,
  type Link,
  maximumBlockBytes,
  parseCid,
  rawLinkSchema,
} from '../cids/index.ts'
import { addressSchema } from '../names/index.ts'
import { type LoadedOriginal, type OriginalList, originalListSchema, originalSchema } from './original.ts'

/** Seconds in a segment are counted in ticks of the rendition's timescale, so that no duration is rounded. */
const positive = z.int().positive()
const natural = z.int().nonnegative()

/** Bounds of a track: ten hours of six-second segments, and as many renditions as any ladder needs. */
const maximumSegments = 12_000
const maximumDurationMs = 36_000_000
const maximumRenditions = 12

/** Each is told the secret of the track: more would be more to trust. */
export const maximumKeyHolders = 8

/** Two minutes of Chromaprint have some 940 items. */
export const maximumFingerprintBytes = 4096

const pictureSchema = z.strictObject({
  image: rawLinkSchema,
  byteLength: positive.max(maximumBlockBytes),
  type: z.enum(['image/jpeg', 'image/png', 'image/webp']),
  width: positive.max(8192),
  height: positive.max(8192),
})

const manifestSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('track'),
  durationMs: positive.max(maximumDurationMs),
  /** Best first for a listener with room: the order of the master playlist. */
  renditions: z.array(dagJsonLinkSchema).min(1).max(maximumRenditions),
  cover: z.array(pictureSchema).max(6).optional(),
  /** 8-bit peaks, one raw block in the JSON form of audiowaveform version 2. */
  waveform: z.strictObject({ data: rawLinkSchema, byteLength: positive.max(maximumBlockBytes) }).optional(),
  /** Chromaprint of the first two minutes: its 32-bit items, little-endian, one raw block. Likeness is found by it. */
  fingerprint: z
    .strictObject({ data: rawLinkSchema, byteLength: positive.max(maximumFingerprintBytes).multipleOf(4) })
    .optional(),
  /** EBU R128, measured and never baked in: thousandths of LUFS, LU and dBTP. */
  loudness: z
    .strictObject({
      integratedMilliLufs: z.int(),
      rangeMilliLu: natural,
      truePeakMilliDbtp: z.int(),
    })
    .optional(),
  original: originalSchema.optional(),
  /** Operators that give out keys of a premium track, as they are paid; its renditions are encrypted, all of them. */
  keyHolders: z.array(addressSchema).min(1).max(maximumKeyHolders).optional(),
})

const renditionSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('rendition'),
  /** RFC 6381, as `CODECS` of a master playlist has it: `mp4a.40.2`, `fLaC`. */
  codec: z.string().regex(/^[A-Za-z0-9]{4}(\.[A-Za-z0-9]{1,8}){0,3}$/),
  container: z.literal('fmp4'),
  channels: positive.max(8),
  sampleRateHz: positive.max(192_000),
  /** Bits per second: the mean, and the highest of any segment. */
  averageBandwidth: positive,
  bandwidth: positive,
  timescale: positive.max(1_000_000),
  /**
   * Of a premium track: segments from `clearSegments` on are AES-128-CBC, each by a key of its own (see `premium`). Where
   * the first is encrypted so is the initialization section, by the same key and vector, as the order of tags in a
   * playlist demands (RFC 8216 4.3.2.4); where a preview comes first it is clear.
   */
  encryption: z
    .strictObject({
      method: z.literal('AES-128'),
      salt: z.string().regex(/^0x[0-9a-f]{32}$/, 'must be 0x and 32 lower-case hex digits'),
      clearSegments: natural.max(maximumSegments),
    })
    .optional(),
  init: z.strictObject({ data: rawLinkSchema, byteLength: positive.max(maximumBlockBytes) }),
  /** Per segment: ticks, bytes, block. */
  segments: z
    .array(z.tuple([positive, positive.max(maximumBlockBytes), rawLinkSchema]))
    .min(1)
    .max(maximumSegments),
})

export type Picture = z.infer<typeof pictureSchema>
/** What a track is made of; its name is the name of the track's content. */
export type Manifest = z.infer<typeof manifestSchema>
export type Rendition = z.infer<typeof renditionSchema>
export type Segment = Rendition['segments'][number]
export type LoadedRendition = Rendition & { readonly cid: string; readonly byteLength: number }
/** A manifest with its rendition blocks: all that a player needs to know before the first segment. */
export type LoadedTrack = {
  readonly cid: string
  readonly byteLength: number
  readonly manifest: Manifest
  readonly renditions: readonly LoadedRendition[]
  /** Where the manifest has the file itself. */
  readonly original?: LoadedOriginal
}

/** A block that is no manifest (or rendition) of ours. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError'
}

/** @throws ManifestError */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return encode(manifestSchema, manifest, 'manifest')
}

/** @throws ManifestError, CidError */
export function decodeManifest(bytes: Uint8Array): Manifest {
  return parse(manifestSchema, decodeDagJson(bytes), 'manifest')
}

/** @throws ManifestError */
export function encodeRendition(rendition: Rendition): Uint8Array {
  return encode(renditionSchema, rendition, 'rendition')
}

/** @throws ManifestError, CidError */
export function decodeRendition(bytes: Uint8Array): Rendition {
  return parse(renditionSchema, decodeDagJson(bytes), 'rendition')
}

/** @throws ManifestError */
export function encodeOriginalList(list: OriginalList): Uint8Array {
  return encode(originalListSchema, list, 'list of an original')
}

/** @throws ManifestError, CidError */
export function decodeOriginalList(bytes: Uint8Array): OriginalList {
  return parse(originalListSchema, decodeDagJson(bytes), 'list of an original')
}

/** Reads a manifest, its renditions and the list of its original through `get`, which must return verified bytes.
 * @param options.onManifest hears what the manifest says while its renditions are still being read
 * @throws ManifestError when a block is not of ours, a rendition's length strays from the track's, an original's
 * blocks are not as long as it, a block has two lengths, or a premium track is not encrypted throughout, and what `get`
 * throws */
export async function loadTrack(
  cid: string,
  get: (cid: string) => Promise<Uint8Array>,
  { onManifest }: { readonly onManifest?: (manifest: Manifest) => void } = {},
): Promise<LoadedTrack> {
  if (parseCid(cid).codec !== 'dag-json') throw new ManifestError(`${cid} names bytes, and no manifest`)
  const bytes = await get(cid)
  const manifest = decodeManifest(bytes)
  onManifest?.(manifest)
  const [renditions, original] = await Promise.all([
    Promise.all(manifest.renditions.map((link) => loadRendition(link['/'], manifest, get))),
    loadOriginal(manifest, get),
  ])
  const track = { cid, byteLength: bytes.length, manifest, renditions, ...(original ? { original } : {}) }
  checkLengths(track)
  checkEncryption(track)
  return track
}

async function loadRendition(
  cid: string,
  manifest: Manifest,
  get: (cid: string) => Promise<Uint8Array>,
): Promise<LoadedRendition> {
  const block = await get(cid)
  const rendition = decodeRendition(block)
  const ms = (rendition.segments.reduce((sum, [ticks]) => sum + ticks, 0) * 1000) / rendition.timescale
  // An encoder's priming and padding differ by far less than one segment.
  if (Math.abs(ms - manifest.durationMs) > 3000) {
    throw new ManifestError(
      `rendition ${cid} lasts ${Math.round(ms)} ms, the manifest says ${manifest.durationMs} ms`,
    )
  }
  return { ...rendition, cid, byteLength: block.length }
}

async function loadOriginal(
  { original }: Manifest,
  get: (cid: string) => Promise<Uint8Array>,
): Promise<LoadedOriginal | undefined> {
  if (original === undefined) return undefined
  const cid = original.list['/']
  const bytes = await get(cid)
  const list = decodeOriginalList(bytes)
  const total = list.blocks.reduce((sum, [byteLength]) => sum + byteLength, 0)
  if (total !== original.byteLength) {
    throw new ManifestError(
      `the blocks of the original have ${total} bytes, the manifest says ${original.byteLength}`,
    )
  }
  return { ...list, cid, byteLength: bytes.length }
}

function checkLengths(track: LoadedTrack): void {
  const lengths = new Map<string, number>()
  for (const [{ '/': cid }, byteLength] of linksWithLengths(track)) {
    if ((lengths.get(cid) ?? byteLength) !== byteLength) throw new ManifestError(`${cid} has two lengths`)
    lengths.set(cid, byteLength)
  }
}

/** Sound in the clear beside the same sound encrypted would give all of it away, as would the file itself. */
function checkEncryption({ manifest, renditions, original }: LoadedTrack): void {
  const premium = manifest.keyHolders !== undefined
  if (renditions.some(({ encryption }) => (encryption !== undefined) !== premium)) {
    throw new ManifestError(
      premium
        ? 'the track is premium, and not all of its renditions are encrypted'
        : 'a rendition is encrypted, and the manifest does not say who has the keys',
    )
  }
  if (premium && original !== undefined) {
    throw new ManifestError('a premium track cannot have the file itself beside it')
  }
}

/** Every block of a track once, with its length: manifest, renditions in order, each with init and segments,
 * then waveform, covers and fingerprint, then the list of the original with its blocks. This order is the order of the storage root. */
export function blocksOf(track: LoadedTrack): { cid: string; byteLength: number }[] {
  const seen = new Set<string>()
  return linksWithLengths(track).flatMap(([link, byteLength]) => {
    if (seen.has(link['/'])) return []
    seen.add(link['/'])
    return [{ cid: link['/'], byteLength }]
  })
}

function linksWithLengths(track: LoadedTrack): [Link, number][] {
  const { manifest, original } = track
  return [
    [{ '/': track.cid }, track.byteLength],
    ...track.renditions.flatMap((rendition): [Link, number][] => [
      [{ '/': rendition.cid }, rendition.byteLength],
      [rendition.init.data, rendition.init.byteLength],
      ...rendition.segments.map(([, byteLength, link]): [Link, number] => [link, byteLength]),
    ]),
    ...(manifest.waveform ? [[manifest.waveform.data, manifest.waveform.byteLength] as [Link, number]] : []),
    ...(manifest.cover ?? []).map((picture): [Link, number] => [picture.image, picture.byteLength]),
    ...(manifest.fingerprint
      ? [[manifest.fingerprint.data, manifest.fingerprint.byteLength] as [Link, number]]
      : []),
    ...(original ? [[{ '/': original.cid }, original.byteLength] as [Link, number]] : []),
    ...(original?.blocks ?? []).map(([byteLength, link]): [Link, number] => [link, byteLength]),
  ]
}

/** Short name of a rendition in URLs and reports: `aac-160`, `flac`; with its place where two would clash.
 * @throws RangeError when the track has no such rendition */
export function renditionName(track: LoadedTrack, index: number): string {
  const names = track.renditions.map(({ codec, averageBandwidth }) => {
    if (codec === 'fLaC') return 'flac'
    const [family = codec] = codec.split('.')
    return `${family === 'mp4a' ? 'aac' : family.toLowerCase()}-${nominalKbits(averageBandwidth)}`
  })
  const name = names[index]
  if (name === undefined) throw new RangeError(`the track has no rendition ${index}`)
  return names.indexOf(name) === names.lastIndexOf(name) ? name : `${name}-${index}`
}

const usualKbits = [32, 48, 64, 96, 128, 160, 192, 256, 320]

/** A bit rate as people name it: an encoder asked for 160 kbit/s gives some more or less, and the container adds its
 * own. */
export function nominalKbits(bitsPerSecond: number): number {
  const kbits = bitsPerSecond / 1000
  return usualKbits.find((usual) => Math.abs(kbits - usual) <= usual * 0.1) ?? Math.round(kbits)
}

function encode<T>(schema: z.ZodType<T>, value: T, what: string): Uint8Array {
  const bytes = encodeDagJson(parse(schema, value, what))
  if (bytes.length > maximumBlockBytes)
    throw new ManifestError(`the ${what} does not fit into a block of 1 MiB`)
  return bytes
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = checked(schema, value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new ManifestError(`not a ${what}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim())
}
