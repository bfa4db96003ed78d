import { createHash } from 'node:crypto'
import { createReadStream, openAsBlob } from 'node:fs'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { playTrack } from '@hexachord/cli/playing'
import type { Holder, Track, UploadAnswer } from '@hexachord/protocol/rest'
import type { Connection } from '@hexachord/sdk/connect'
import type { Account } from '@hexachord/sdk/keys'
import { publishTrack } from '@hexachord/sdk/publishing'
import { forgetUpload, type UploadMemory, type UploadProgress, uploadTrack } from '@hexachord/sdk/uploading'
import { publishedBefore, rememberPublished } from './published.ts'

/** Durations in ms, each from its own step's start; 0 for a step that an earlier start has done. */
type Durations = {
  upload: number
  transcode: number
  replicate: number
  publish: number
  index: number
  firstAudio: number
}

export type MainJobResult = {
  track: string
  manifest: string
  replicas: readonly Holder[]
  segmentsPlayed: number
  bytesPlayed: number
  hashFailures: number
  ms: Durations
}

/** What the job is doing now; `done` of `total` in any unit, for a bar. */
export type JobStep = {
  readonly step: 'upload' | 'transcode' | 'replicate' | 'publish' | 'index' | 'play'
  readonly detail: string
  readonly done?: number
  readonly total?: number
}

/** The main job of the network: publishes a file as a track, then finds and plays it as a listener would,
 * every segment checked. A file that this network has already is only played. */
export async function runMainJob({
  connection,
  account,
  file,
  details,
  directory,
  memory,
  signal,
  onStep,
}: {
  connection: Connection
  account: Account
  file: string
  /** Said of the track when the file itself says nothing. */
  details: { artist: string; licence: string }
  directory: string
  memory: UploadMemory
  signal: AbortSignal
  onStep: (step: JobStep) => void
}): Promise<MainJobResult> {
  const sha256 = await sha256OfFile(file, signal)
  const known = await publishedBefore(connection, directory, sha256, signal)
  const { track, ms } = known
    ? { track: known, ms: { upload: 0, transcode: 0, replicate: 0, publish: 0, index: 0 } }
    : await publishFile({ connection, account, file, details, memory, signal, onStep })
  if (!known) await rememberPublished(directory, sha256, track.id)
  onStep({ step: 'play', detail: `${track.title} by ${track.artist}` })
  const report = await playTrack(connection, track, {
    output: 'null',
    signal,
    onSegment: (done, total) => onStep({ step: 'play', detail: 'segments, every hash checked', done, total }),
  })
  return {
    track: track.id,
    manifest: track.manifest,
    replicas: track.holders,
    segmentsPlayed: report.segmentsPlayed,
    bytesPlayed: report.bytesPlayed,
    hashFailures: report.hashFailures,
    // Only the speaker's player does not tell, and this one is ours.
    ms: { ...ms, firstAudio: report.ms.firstAudio ?? 0 },
  }
}

async function publishFile({
  connection,
  account,
  file,
  details,
  memory,
  signal,
  onStep,
}: Pick<
  Parameters<typeof runMainJob>[0],
  'connection' | 'account' | 'file' | 'details' | 'memory' | 'signal' | 'onStep'
>): Promise<{ track: Track; ms: Omit<Durations, 'firstAudio'> }> {
  const { size, mtimeMs } = await stat(file)
  const source = {
    filename: path.basename(file),
    content: await openAsBlob(file),
    fingerprint: `${path.resolve(file)} ${size} ${Math.round(mtimeMs)}`,
  }
  const startedAt = performance.now()
  let sentAt = startedAt
  const upload = await uploadTrack(connection, account, source, {
    memory,
    signal,
    onProgress: (progress) => {
      if (progress.step === 'sending' && progress.sentBytes === progress.totalBytes)
        sentAt = performance.now()
      onStep(stepOf(progress))
    },
  })
  const signedAt = performance.now()
  let minedAt: number | undefined
  onStep({ step: 'publish', detail: 'signed, on its way to the chain' })
  const track = await publishTrack(connection, account, upload, trackDetails(upload, file, details), {
    signal,
    onStatus: ({ status }) => {
      if (status === 'pending' || minedAt !== undefined) return
      minedAt = performance.now()
      onStep({ step: 'index', detail: 'on the chain; discovery applies it' })
    },
  })
  const readAt = performance.now()
  await forgetUpload(memory, account, source)
  return {
    track,
    ms: {
      upload: Math.round(sentAt - startedAt),
      transcode: upload.ms.transcode ?? 0,
      replicate: upload.ms.replicate ?? 0,
      publish: Math.round((minedAt ?? readAt) - signedAt),
      index: Math.round(readAt - (minedAt ?? readAt)),
    },
  }
}

function stepOf(progress: UploadProgress): JobStep {
  if (progress.step === 'moving') {
    return { step: 'upload', detail: `goes on at ${progress.node}: ${progress.reason}` }
  }
  if (progress.step === 'sending') {
    const { sentBytes: done, totalBytes: total } = progress
    return { step: 'upload', detail: `to ${progress.node}`, done, total }
  }
  const { upload } = progress
  if (upload.state === 'replicating' || upload.state === 'ready') {
    const detail = `${upload.receipts.length} of ${upload.copies} operators have signed for their copy`
    return { step: 'replicate', detail, done: upload.receipts.length, total: upload.copies }
  }
  const total = (upload.source?.durationMs ?? 0) * upload.renditions.length
  const done = upload.renditions.reduce((sum, rendition) => sum + rendition.doneMs, 0)
  const detail = upload.renditions.map(({ name }) => name).join(', ') || upload.state
  return total > 0 ? { step: 'transcode', detail, done, total } : { step: 'transcode', detail }
}

function trackDetails(upload: UploadAnswer, file: string, given: { artist: string; licence: string }) {
  const { title, artist, album, genre, isrc } = upload.tags ?? {}
  return {
    title: title ?? path.parse(file).name,
    artist: artist ?? given.artist,
    licence: given.licence,
    rightsHeld: true,
    ...(album ? { album } : {}),
    ...(genre ? { genre } : {}),
    ...(isrc ? { isrc } : {}),
  } as const
}

async function sha256OfFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash, { signal })
  return hash.digest('hex')
}
