import { createHash } from 'node:crypto'
import { CarError } from '@hexachord/protocol/cars'
import { parsed } from '@hexachord/protocol/checked'
import type { LoadedRendition, LoadedTrack, Picture } from '@hexachord/protocol/manifests'
import sharp from 'sharp'
import * as z from 'zod'
import { Fmp4Error } from '../transcoding/index.ts'
import { checkInit, checkSegment } from './check-fragment.ts'

type Get = (cid: string) => Promise<Uint8Array>

/** What a rendition claims to need may differ from what it has by so much. */
const bandwidthTolerance = 0.1
const bandwidthSlack = 2_000

const pixelLimit = 8192 * 8192
const waveformPixels = 8192

const waveformSchema = z.strictObject({
  version: z.literal(2),
  channels: z.literal(1),
  sample_rate: z.int().positive(),
  samples_per_pixel: z.int().positive(),
  bits: z.literal(8),
  length: z.int().nonnegative().max(waveformPixels),
  data: z.array(z.int().min(-128).max(127)).max(2 * waveformPixels),
})

/**
 * Checks that a track's blocks are what its manifest says: sound of these lengths and this codec, pictures of these
 * sizes, a waveform. So nobody's file becomes a store of something else, and no player meets what it cannot play.
 * @param get bytes of a block, verified
 * @throws CarError that names the block; what `get` throws
 */
export async function checkContents(track: LoadedTrack, get: Get, signal: AbortSignal): Promise<void> {
  for (const rendition of track.renditions) await checkRendition(rendition, get, signal)
  for (const picture of track.manifest.cover ?? []) await checkPicture(picture, get)
  const waveform = track.manifest.waveform?.data['/']
  if (waveform !== undefined) checkWaveform(waveform, await get(waveform))
  await checkOriginal(track, get, signal)
}

async function checkRendition(rendition: LoadedRendition, get: Get, signal: AbortSignal): Promise<void> {
  const init = rendition.init.data['/']
  const defaults = naming(init, await get(init), (bytes) => checkInit(bytes, rendition))
  let byteLength = 0
  let ticks = 0
  for (const [segmentTicks, segmentBytes, { '/': cid }] of rendition.segments) {
    signal.throwIfAborted()
    naming(cid, await get(cid), (bytes) => checkSegment(bytes, segmentTicks, rendition, defaults))
    byteLength += segmentBytes
    ticks += segmentTicks
  }
  const { averageBandwidth: claimed, bandwidth, timescale, cid } = rendition
  const average = (byteLength * 8 * timescale) / ticks
  if (Math.abs(claimed - average) > average * bandwidthTolerance + bandwidthSlack || bandwidth < claimed) {
    throw new CarError(`rendition ${cid} claims ${claimed} bits per second, and has ${Math.round(average)}`)
  }
}

function naming<Result>(cid: string, bytes: Uint8Array, check: (bytes: Uint8Array) => Result): Result {
  try {
    return check(bytes)
  } catch (cause) {
    if (cause instanceof Fmp4Error) throw new CarError(`block ${cid}: ${cause.message}`, { cause })
    throw cause
  }
}

async function checkPicture({ image, type, width, height }: Picture, get: Get): Promise<void> {
  const bytes = await get(image['/'])
  const found = await sharp(bytes, { limitInputPixels: pixelLimit })
    .metadata()
    .catch((cause: unknown) => {
      throw new CarError(`block ${image['/']} is no picture`, { cause })
    })
  if (`image/${found.format}` !== type || found.width !== width || found.height !== height) {
    throw new CarError(`block ${image['/']} is another picture than the manifest says`)
  }
}

function checkWaveform(cid: string, bytes: Uint8Array): void {
  try {
    const { length, data } = parsed(waveformSchema, JSON.parse(new TextDecoder().decode(bytes)))
    if (data.length === 2 * length) return
  } catch (cause) {
    throw new CarError(`block ${cid} is no waveform`, { cause })
  }
  throw new CarError(`block ${cid} is no waveform`)
}

async function checkOriginal(
  { manifest, original }: LoadedTrack,
  get: Get,
  signal: AbortSignal,
): Promise<void> {
  if (manifest.original === undefined || original === undefined) return
  const hash = createHash('sha256')
  for (const [, { '/': cid }] of original.blocks) {
    signal.throwIfAborted()
    hash.update(await get(cid))
  }
  if (`0x${hash.digest('hex')}` !== manifest.original.sha256) {
    throw new CarError('the original file is another than the manifest says')
  }
}
