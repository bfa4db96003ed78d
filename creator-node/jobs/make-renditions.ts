import { join } from 'node:path'
import { encodeRendition, type Rendition } from '@hexachord/protocol/manifests'
import {
  type AudioSource,
  Fmp4Error,
  ProgramFailed,
  ProgramLimit,
  type RenditionPlan,
  renderRendition,
  SourceError,
} from '../transcoding/index.ts'
import type { MadeRendition, UploadRendition } from '../uploads/index.ts'
import { encryptionOf } from './encrypt-rendition.ts'
import type { Foreseen } from './foresee-renditions.ts'
import { checkLength } from './measure-source.ts'
import { currentUpload, ffmpegTimeoutMs, type Work } from './work.ts'

/** Who gets the next free core: what makes a track playable at all goes before what makes it better. */
export const urgencies = { copying: 0, firstRendition: 1, rendition: 2, measuring: 3 } as const

/** Work that can be stopped. */
export type Task = (signal: AbortSignal) => Promise<void>

/**
 * The upload's renditions as tasks: those that only copy frames and are over in a moment, and the others. One that is
 * done is not made again.
 * @param foreseen renditions that were begun; those that are none of these are ended
 * @param onMade called after each, one at a time
 * @returns `audible` resolves once something can be heard, or need not be waited for
 */
export async function renditionTasks(
  work: Work,
  source: AudioSource,
  foreseen: Foreseen,
  onMade: () => Promise<void>,
): Promise<{ copies: Task[]; encodings: Task[]; audible: Promise<void> }> {
  const { renditions } = currentUpload(work)
  const open = renditions.filter(({ state }) => state !== 'done')
  const nothingPlays = open.length === renditions.length
  const begun = await foreseen.claim(
    source,
    open.map(({ plan }) => plan),
  )
  const taskOf =
    (rendition: UploadRendition, urgency: number): Task =>
    async (signal) => {
      const make = (plan: RenditionPlan) => {
        const claimed = begun.find((one) => one.plan === plan)
        if (claimed !== undefined) return claimed.finish(signal)
        work.recorder.progress(plan.name, { segments: 0, doneMs: 0 })
        return work.slots.run(urgency, signal, (free) => render(work, source, plan, signal, free))
      }
      await makeRendition(work, source, rendition.plan, make)
      await onMade()
    }
  const copied = open.filter(({ plan }) => plan.method === 'copy')
  const encoded = open.filter(({ plan }) => plan.method === 'encode')
  return {
    copies: copied.map((rendition) => taskOf(rendition, urgencies.copying)),
    encodings: encoded.map((rendition, place) => {
      const isFirst = nothingPlays && copied.length === 0 && place === 0
      return taskOf(rendition, isFirst ? urgencies.firstRendition : urgencies.rendition)
    }),
    audible: begun[0]?.audible ?? Promise.resolve(),
  }
}

type Make = (plan: RenditionPlan) => Promise<Rendition>

async function makeRendition(
  work: Work,
  source: AudioSource,
  plan: RenditionPlan,
  make: Make,
): Promise<void> {
  const { ipfs, recorder } = work
  const rendition = await madeOrEncoded(work, plan, make)
  const durationMs = durationOf(rendition)
  checkLength(source, durationMs)
  const bytes = encodeRendition(rendition)
  const cid = await recorder.store(bytes, 'dag-json')
  await ipfs.pin(cid)
  const made: MadeRendition = {
    cid,
    byteLength: bytes.length,
    totalBytes: bytes.length + totalBytes(rendition),
    durationMs,
    lossless: plan.codec === 'flac',
    averageBandwidth: rendition.averageBandwidth,
  }
  const segments = rendition.segments.length
  recorder.flush((upload) => ({
    renditions: upload.renditions.map((other) =>
      other.plan.name === plan.name ? { ...other, state: 'done', doneMs: durationMs, segments, made } : other,
    ),
  }))
  checkGrant(work)
}

/** Copies frames where that is planned, and encodes them when they turn out not to allow it. */
async function madeOrEncoded(work: Work, plan: RenditionPlan, make: Make): Promise<Rendition> {
  try {
    return await make(plan)
  } catch (error) {
    const incapable =
      error instanceof ProgramFailed || error instanceof ProgramLimit || error instanceof Fmp4Error
    if (!incapable || plan.otherwise === undefined) throw error
    work.logger.info({ err: error, upload: work.id, rendition: plan.name }, 'source cannot be copied')
    return make(plan.otherwise)
  }
}

/** Operators take no more than the author has consented to. @throws SourceError */
function checkGrant(work: Work): void {
  const { renditions, grant } = currentUpload(work)
  const bytes = renditions.reduce((sum, { made }) => sum + (made?.totalBytes ?? 0), 0)
  if (bytes > grant.byteLimit) {
    throw new SourceError(
      'tooLarge',
      `the track has ${bytes} bytes already; the author's grant allows ${grant.byteLimit}: sign a larger one`,
    )
  }
}

function render(
  work: Work,
  source: AudioSource,
  plan: RenditionPlan,
  signal: AbortSignal,
  onRendered: () => void,
): Promise<Rendition> {
  return renderRendition({
    ffmpeg: work.ffmpeg,
    plan,
    input: work.input,
    directory: join(work.workDirectory, work.id, plan.name),
    durationMs: source.durationMs,
    timeoutMs: ffmpegTimeoutMs(source.durationMs),
    signal,
    onRendered,
    encryption: encryptionOf(work, plan),
    store: (bytes) => work.recorder.store(bytes, 'raw'),
    onProgress: (soFar) => work.recorder.progress(plan.name, soFar),
  })
}

function durationOf(rendition: Rendition): number {
  const ticks = rendition.segments.reduce((sum, [count]) => sum + count, 0)
  return Math.round((ticks * 1000) / rendition.timescale)
}

function totalBytes(rendition: Rendition): number {
  return rendition.segments.reduce((sum, [, bytes]) => sum + bytes, rendition.init.byteLength)
}
