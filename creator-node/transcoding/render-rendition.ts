import { mkdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { linkTo, maximumBlockBytes } from '@hexachord/protocol/cids'
import type { Rendition } from '@hexachord/protocol/manifests'
import { bandwidthOf } from './bandwidth.ts'
import type { Ffmpeg } from './ffmpeg.ts'
import { Fmp4Error, type InitSection, readInitSection, segmentTicks } from './fmp4/index.ts'
import type { RenditionPlan } from './plan-renditions.ts'
import { OutputCutShort, ProgramFailed, ProgramLimit } from './process-errors.ts'
import { watchDirectory } from './watch-directory.ts'

/** How segments are encrypted, as in the rendition's block, and what does it. */
export type Encryption = NonNullable<Rendition['encryption']> & {
  encrypt(bytes: Uint8Array, index: number): Promise<Uint8Array>
}

export type RenderOptions = {
  ffmpeg: Ffmpeg
  plan: RenditionPlan
  /** Path of the source, or its bytes as they come. */
  input: string | Readable
  /** Emptied first, and gone at the end. */
  directory: string
  /** Length of the source; bounds what may come out. While it is not known no progress is told. */
  durationMs: number | Promise<number>
  timeoutMs: number
  signal: AbortSignal
  /** Of a premium track: what is stored is the ciphertext. */
  encryption?: Encryption | undefined
  /** Keeps a block (initialization section or segment) and names it; called as soon as ffmpeg has closed its file. */
  store: (bytes: Uint8Array) => Promise<string>
  /** Called once ffmpeg was started. */
  onStart?: () => void
  /** Called once ffmpeg has ended, well or not: what is left is to store what it made last. */
  onRendered?: () => void
  /** After each stored segment, in no particular order. */
  onProgress?: (soFar: { segments: number; doneMs: number }) => void
}

/** Segments stored at one time: enough to hide a disk's fsync behind the next one's hash. */
const storeConcurrency = 4

/** Segments stored while the source's length is not known: whether any of it is wanted is not known then, either. */
const mostUntold = 64

/** Containers and encoders add some frames; more than this means that the source lied about its length. */
const durationSlackMs = 60_000

/**
 * Makes one rendition: six-second segments of fragmented MP4, each handed to `store` when it is complete, with
 * exact durations from its own boxes. A segment in which there is no sample (an encoder's empty last flush) is
 * the only thing left out.
 * @throws ProgramMissing, ProgramFailed, ProgramLimit, OutputCutShort, Fmp4Error, what `store` throws, or the signal's reason
 */
export async function renderRendition(options: RenderOptions): Promise<Rendition> {
  const { directory, plan, store } = options
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  const watch = watchDirectory(directory)
  const segments: (StoredSegment | null)[] = []
  let init: Promise<InitSection> | undefined
  let storedInit: { cid: string; byteLength: number } | undefined
  let running = true
  const ffmpeg = options.ffmpeg
    .run({
      input: options.input,
      outputs: [{ options: outputOptions(plan, directory), to: join(directory, 'playlist.m3u8') }],
      pace: plan.method === 'copy' ? 'now' : 'soon',
      timeoutMs: options.timeoutMs,
      onStart: options.onStart,
      signal,
    })
    .finally(() => {
      running = false
      watch.poke()
      options.onRendered?.()
    })
  // It is awaited at the end; until then a failure, such as that of another rendition, must not count as unhandled.
  ffmpeg.catch(() => undefined)

  async function readInit(): Promise<InitSection> {
    const bytes = await readWhole(join(directory, 'init.mp4'))
    const section = readInitSection(bytes)
    alongside(storeInit(bytes))
    return section
  }

  async function encrypted(bytes: Uint8Array, index: number): Promise<Uint8Array> {
    const { encryption } = options
    return encryption === undefined || index < encryption.clearSegments
      ? bytes
      : encryption.encrypt(bytes, index)
  }

  async function storeInit(clear: Uint8Array): Promise<void> {
    // It goes with the first segment, as playlists have it.
    const bytes = await encrypted(clear, 0)
    storedInit = { cid: await store(bytes), byteLength: bytes.length }
  }

  async function storeSegment(index: number, path: string, readingInit: Promise<InitSection>): Promise<void> {
    const [clear, section] = await Promise.all([readWhole(path), readingInit])
    const ticks = await wholeSegmentTicks(clear, section, directory)
    const bytes = await encrypted(clear, index)
    if (bytes.length > maximumBlockBytes) {
      throw new ProgramLimit(`a segment of ${bytes.length} bytes is larger than a block`)
    }
    segments[index] = ticks === 0 ? null : { ticks, byteLength: bytes.length, cid: await store(bytes) }
    alongside(tellProgress(section), telling)
    await rm(path)
  }

  async function tellProgress(section: InitSection): Promise<void> {
    const durationMs = await options.durationMs
    const done = segments.filter((segment) => segment != null)
    const doneMs = Math.round((sumTicks(done) * 1000) / section.timescale)
    if (doneMs > durationMs + durationSlackMs) {
      throw new ProgramLimit('the rendition becomes longer than its source')
    }
    options.onProgress?.({ segments: done.length, doneMs })
  }

  const storing = new Set<Promise<void>>()
  const telling = new Set<Promise<void>>()
  function alongside(work: Promise<void>, others = storing): void {
    others.add(work)
    work.then(
      () => others.delete(work),
      (error: unknown) => failed.abort(error),
    )
  }

  try {
    for (let index = 0; ; index++) {
      const path = join(directory, segmentName(index))
      if (!(await appears(path, () => running, watch.changed))) break
      // ffmpeg has written it before it closes the first segment.
      init ??= readInit()
      alongside(storeSegment(index, path, init))
      // The first has the disk for itself, since listening begins with it.
      if (index === 0) await Promise.all(storing)
      if (storing.size >= storeConcurrency) await Promise.race(storing)
      if (telling.size >= mostUntold) await Promise.race(telling)
    }
    await Promise.all([ffmpeg, ...storing])
    await Promise.all(telling)
  } catch (error) {
    failed.abort(error)
    throw error
  } finally {
    watch.close()
    await Promise.allSettled([ffmpeg, ...storing, ...telling])
    await rm(directory, { recursive: true, force: true })
  }
  const kept = segments.filter((segment) => segment != null)
  if (init === undefined || storedInit === undefined || kept.length === 0) {
    throw new ProgramFailed('ffmpeg wrote no segment')
  }
  // A segment's key goes by its place.
  if (options.encryption !== undefined && segments.slice(0, kept.length).includes(null)) {
    throw new ProgramFailed('ffmpeg wrote a segment without sound between others')
  }
  return { ...renditionOf(plan, { ...(await init), ...storedInit }, kept), ...described(options.encryption) }
}

/** Whether ffmpeg is asked for the same, so that one rendition can stand for the other. */
export function isMadeAlike(plan: RenditionPlan, other: RenditionPlan): boolean {
  return outputOptions(plan, '').join() === outputOptions(other, '').join()
}

type StoredSegment = { readonly ticks: number; readonly byteLength: number; readonly cid: string }

function described(encryption: Encryption | undefined): Pick<Rendition, 'encryption'> {
  if (encryption === undefined) return {}
  const { method, salt, clearSegments } = encryption
  return { encryption: { method, salt, clearSegments } }
}

function renditionOf(
  plan: RenditionPlan,
  init: InitSection & { cid: string; byteLength: number },
  segments: readonly StoredSegment[],
): Rendition {
  const { timescale } = init
  const { average, peak } = bandwidthOf(segments, { timescale, targetSeconds: plan.segmentSeconds })
  return {
    v: 1,
    kind: 'rendition',
    codec: init.codec,
    container: 'fmp4',
    channels: init.channels,
    sampleRateHz: init.sampleRateHz,
    averageBandwidth: average,
    bandwidth: peak,
    timescale,
    init: { data: linkTo(init.cid), byteLength: init.byteLength },
    segments: segments.map(({ ticks, byteLength, cid }) => [ticks, byteLength, linkTo(cid)]),
  }
}

/** Waits for a file that ffmpeg may yet write. @returns false once ffmpeg has ended without it */
async function appears(path: string, running: () => boolean, changed: () => Promise<void>): Promise<boolean> {
  for (;;) {
    // Asked before the look at the disk: what is not there then will not come.
    const more = running()
    if (await exists(path)) return true
    if (!more) return false
    await changed()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

/**
 * Reads what ffmpeg has closed. On a full disk its HLS muxer goes on with empty files, and ends well without a word.
 * @throws OutputCutShort
 */
async function readWhole(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path)
  if (bytes.length === 0) throw new OutputCutShort('ffmpeg had no room to write')
  return bytes
}

/** @throws OutputCutShort for a segment that breaks off because the disk is full; Fmp4Error for one that is wrong */
async function wholeSegmentTicks(
  bytes: Uint8Array,
  { defaultSampleTicks }: InitSection,
  directory: string,
): Promise<number> {
  try {
    return segmentTicks(bytes, defaultSampleTicks)
  } catch (cause) {
    const { bavail, bsize } = await statfs(directory)
    if (!(cause instanceof Fmp4Error) || bavail * bsize > maximumBlockBytes) throw cause
    throw new OutputCutShort('ffmpeg had no room to write all of a segment', { cause })
  }
}

function segmentName(index: number): string {
  return `${String(index).padStart(5, '0')}.m4s`
}

function sumTicks(segments: readonly StoredSegment[]): number {
  return segments.reduce((sum, { ticks }) => sum + ticks, 0)
}

function outputOptions(plan: RenditionPlan, directory: string): string[] {
  return [
    ...['-map', '0:a:0', '-map_metadata', '-1', '-map_chapters', '-1'],
    ...codecOptions(plan),
    // The encoder's version would give each build of ffmpeg another initialization section.
    ...['-fflags', '+bitexact', '-flags:a', '+bitexact'],
    ...['-f', 'hls', '-hls_time', String(plan.segmentSeconds), '-hls_playlist_type', 'vod'],
    // temp_file: a segment gets its name only when it is complete.
    ...['-hls_flags', 'independent_segments+temp_file', '-hls_segment_type', 'fmp4'],
    // A program that reads the whole as one file takes an index within the first segment for that of all.
    ...['-hls_segment_options', 'movflags=+skip_sidx'],
    // Some builds still count FLAC in MP4 as experimental.
    ...['-strict', '-2'],
    ...['-hls_fmp4_init_filename', 'init.mp4', '-hls_segment_filename', join(directory, '%05d.m4s')],
  ]
}

function codecOptions(plan: RenditionPlan): string[] {
  if (plan.method === 'copy') {
    // AAC from raw streams carries a header per frame, which MP4 has once; the filter leaves other AAC alone.
    return ['-c:a', 'copy', ...(plan.codec === 'aac' ? ['-bsf:a', 'aac_adtstoasc'] : [])]
  }
  const form = ['-ac', String(plan.channels), '-ar', String(plan.sampleRateHz), '-threads', '1']
  if (plan.codec === 'aac') return ['-c:a', 'aac', '-b:a', String(plan.bitRate), ...form]
  return ['-c:a', 'flac', '-sample_fmt', plan.bitsPerSample === 24 ? 's32' : 's16', ...form]
}
