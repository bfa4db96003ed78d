import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inspectTrack } from '@hexachord/storage/tracks'
import pLimit from 'p-limit'
import { importTrack, isCarried } from '../importing/index.ts'
import { recipe } from '../reusing/index.ts'
import { SourceError, saveAnew } from '../transcoding/index.ts'
import { isBeingProcessed, isDiskFull, type Upload, WrongState } from '../uploads/index.ts'
import { assembleManifest } from './assemble-manifest.ts'
import { describeSource } from './describe-source.ts'
import { type Foreseen, foreseeRenditions } from './foresee-renditions.ts'
import type { HeadStart } from './head-start.ts'
import { hashSource, planWork } from './inspect-source.ts'
import { renditionTasks, type Task } from './make-renditions.ts'
import { measureSource } from './measure-source.ts'
import { reuseTrack } from './reuse-track.ts'
import { storeOriginal } from './store-original.ts'
import { together } from './together.ts'
import { currentUpload, openWork, UploadGone, type Work, type WorkOptions } from './work.ts'

/** The artist took the upload back. */
class UploadCancelled extends Error {
  override readonly name = 'UploadCancelled'
}

/**
 * Makes a track of a received file: from probing to the complete manifest. Every step leaves its result with the
 * upload, so that a second run, after a crash or a failure, does only what is still to do. A file of which no track
 * can be made ends the upload as failed; every other failure is thrown, for another try.
 * @param headStart what was begun of it already
 */
export async function processUpload(
  id: string,
  options: WorkOptions,
  outer: AbortSignal,
  headStart?: HeadStart,
): Promise<void> {
  const { uploads, workDirectory } = options
  const work = headStart?.work ?? openWork(id, options)
  const { recorder } = work
  const cancelled = watchForCancel(id, options)
  try {
    const upload = uploads.get(id)
    if (upload === undefined || !isBeingProcessed(upload.state)) return
    uploads.apply(id, 'started')
    await makeTrack(work, headStart?.foreseen, AbortSignal.any([outer, cancelled.signal]))
  } catch (error) {
    if (cancelled.signal.aborted || error instanceof UploadGone || error instanceof WrongState) return
    // What a program makes of a full disk looks like a damaged file.
    if (!(error instanceof SourceError) || isDiskFull(error)) throw error
    failUpload(options, id, { problem: error.problem, reason: error.message })
  } finally {
    cancelled.close()
    await headStart?.foreseen.drop()
    // First, since what the recorder still has to write may need the room.
    await rm(join(workDirectory, id), { recursive: true, force: true })
    recorder.close()
  }
}

/** Ends an upload as failed, unless it has ended otherwise. */
export function failUpload(
  { uploads, now }: Pick<WorkOptions, 'uploads' | 'now'>,
  id: string,
  failure: NonNullable<Upload['failure']>,
): void {
  try {
    uploads.apply(id, 'failed', () => ({ failure, endedAtMs: now() }))
  } catch (error) {
    if (!(error instanceof WrongState || error instanceof RangeError)) throw error
  }
}

async function makeTrack(work: Work, begun: Foreseen | undefined, signal: AbortSignal): Promise<void> {
  if (isCarried(currentUpload(work))) return importTrack(work, signal)
  if (await reuseTrack(work, signal)) return
  const foreseen = begun ?? foreseeRenditions(work, signal)
  const stop = () => void foreseen.drop(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    await makeBlocks(work, foreseen, signal)
  } finally {
    signal.removeEventListener('abort', stop)
    await foreseen.drop()
  }
  await completeTrack(work, signal)
}

async function makeBlocks(work: Work, foreseen: Foreseen, signal: AbortSignal): Promise<void> {
  const source = await foreseen.source
  planWork(work, source)
  // One at a time, so that each manifest holds what the one before it held.
  const inTurn = pLimit(1)
  const { copies, encodings, audible } = await renditionTasks(work, source, foreseen, () =>
    inTurn(() => makePlayable(work)),
  )
  const others: Task[] = [
    (signal) => hashSource(work, signal),
    () => describeSource(work),
    (signal) => measureSource(work, source, signal),
    (signal) => storeOriginal(work, signal),
  ]
  const { promise: copied, resolve: onCopied } = Promise.withResolvers<void>()
  const settled = audible.then(() => Promise.race([copied, delay(copyingMs, undefined, { ref: false })]))
  const allPlays = settled.then(() => copied)
  await together(signal, [
    (signal) => together(signal, copies).finally(onCopied),
    // Not before there is something to hear, and what nobody waits for yet not before all that plays in a moment.
    ...encodings.map((task) => after(settled, task)),
    ...others.map((task) => after(allPlays, task)),
  ])
}

/** Most songs are copied in less from their first segment on; while another process starts they could not be. */
const copyingMs = 100

function after(ready: Promise<unknown>, task: Task): Task {
  return async (signal) => {
    await ready
    signal.throwIfAborted()
    await task(signal)
  }
}

/** Keeps a manifest of the renditions that are done, so that the track plays from this node already. */
async function makePlayable(work: Work): Promise<void> {
  const { id, uploads, ipfs } = work
  const upload = currentUpload(work)
  // The whole track's manifest is next, and says the same.
  if (isMade(upload)) return
  const bytes = assembleManifest(upload)
  if (bytes === undefined) return
  const playable = await ipfs.put(bytes, 'dag-json')
  await ipfs.pin(playable)
  uploads.change(id, () => ({ playable }))
  if (upload.playable !== undefined && upload.playable !== playable) await ipfs.unpin(upload.playable)
}

function isMade({ renditions, sha256, tags, measured, keepOriginal, original }: Upload): boolean {
  const isKept = !keepOriginal || original !== undefined
  const isKnown = [sha256, tags, measured].every((found) => found !== undefined)
  return isKnown && isKept && renditions.every(({ state }) => state === 'done')
}

async function completeTrack(work: Work, signal: AbortSignal): Promise<void> {
  const { id, uploads, ipfs, recorder, now, onTrack } = work
  const upload = currentUpload(work)
  const bytes = assembleManifest(upload)
  if (bytes === undefined)
    throw new SourceError('undecodable', `no rendition could be made of the file: ${saveAnew}`)
  const manifest = await recorder.store(bytes, 'dag-json')
  recorder.flush()
  const roots = new Map(uploads.blocks(id, 0, Number.MAX_SAFE_INTEGER).map(({ cid, root }) => [cid, root]))
  const { track, ...held } = await inspectTrack(ipfs, manifest, {
    signal,
    knownRoot: (cid) => roots.get(cid),
  })
  if (held.byteLength > upload.grant.byteLimit) {
    throw new SourceError(
      'tooLarge',
      `the track has ${held.byteLength} bytes; the author's grant allows ${upload.grant.byteLimit}: sign a larger one`,
    )
  }
  onTrack(track)
  await ipfs.pin(manifest, { signal })
  uploads.apply(id, 'rendered', () => ({
    recipe,
    playable: manifest,
    renderedAtMs: now(),
    track: {
      manifest,
      storageRoot: held.storageRoot,
      leafCount: held.leafCount,
      byteLength: held.byteLength,
      durationMs: track.manifest.durationMs,
    },
  }))
  const parts = upload.renditions.flatMap(({ made }) => made?.cid ?? [])
  if (upload.original !== undefined) parts.push(upload.original.list['/'])
  const earlier = upload.playable === undefined || upload.playable === manifest ? [] : [upload.playable]
  for (const root of [...parts, ...earlier]) await ipfs.unpin(root)
}

function watchForCancel(id: string, { uploads }: Pick<WorkOptions, 'uploads'>) {
  const controller = new AbortController()
  const close = uploads.onChange((changed) => {
    if (changed === id && uploads.get(id)?.state === 'cancelled') controller.abort(new UploadCancelled())
  })
  return { signal: controller.signal, close }
}
