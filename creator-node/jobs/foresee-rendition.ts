import { join } from 'node:path'
import type { Rendition } from '@hexachord/protocol/manifests'
import {
  type AudioSource,
  guessSource,
  isMadeAlike,
  maximumDurationMs,
  planRenditions,
  type RenditionPlan,
  renderRendition,
} from '../transcoding/index.ts'
import { encryptionOf } from './encrypt-rendition.ts'
import { urgencies } from './make-renditions.ts'
import { currentUpload, ffmpegTimeoutMs, type Work } from './work.ts'

/**
 * A rendition that was begun while its file was still being probed. Starting ffprobe takes longer than copying a song,
 * and the first headers of a file nearly always tell what it will say. Nobody hears of a block before it has said so.
 */
export type Foreseen = {
  /** Resolves once ffmpeg was started, or nothing is to be waited for: what is started then does not delay it. */
  readonly begun: Promise<void>
  /** Goes on with what was begun when it is made as `plan` wants it, and ends it otherwise. */
  claim(source: AudioSource, plan: RenditionPlan | undefined): Promise<Claimed | undefined>
  /** Ends what was begun, if nobody has claimed it. Resolves when nothing of it is left. */
  drop(): Promise<void>
}

export type Claimed = {
  readonly plan: RenditionPlan
  /** Resolves once a segment of it is stored. Also where that is not waited for: it has ended, or has no core yet. */
  readonly audible: Promise<void>
  finish(signal: AbortSignal): Promise<Rendition>
}

/** The file turned out to be another than it seemed, or none at all. */
class NotAsForeseen extends Error {
  override readonly name = 'NotAsForeseen'
}

/** Begins the rendition that a file will most likely have first, once a core is free for it. */
export function foreseeRendition(work: Work, outer: AbortSignal): Foreseen {
  const dropped = new AbortController()
  const signal = AbortSignal.any([outer, dropped.signal])
  const duration = Promise.withResolvers<number>()
  duration.promise.catch(() => undefined)
  let name = ''
  const { promise: audible, resolve: onAudible } = Promise.withResolvers<void>()
  let begun: { plan: RenditionPlan; rendition: Promise<Rendition> } | undefined

  async function begin(): Promise<void> {
    // What was probed before, such as by a run that was interrupted, need not be guessed.
    if (currentUpload(work).source !== undefined) return
    const guess = await guessSource(work.input)
    const [plan] = guess === undefined ? [] : planRenditions(guess)
    if (plan === undefined || signal.aborted) return
    const urgency = plan.method === 'copy' ? urgencies.copying : urgencies.firstRendition
    const { promise: started, resolve: onStart } = Promise.withResolvers<void>()
    const rendition = work.slots.run(urgency, signal, () =>
      renderRendition({
        ...{ plan, signal, ffmpeg: work.ffmpeg, input: work.input, durationMs: duration.promise },
        directory: join(work.workDirectory, work.id, `${plan.name}-foreseen`),
        timeoutMs: ffmpegTimeoutMs(maximumDurationMs),
        encryption: encryptionOf(work, plan),
        store: (bytes) => work.recorder.store(bytes, 'raw', duration.promise),
        onStart,
        onProgress(soFar) {
          work.recorder.progress(name, soFar)
          onAudible()
        },
      }),
    )
    begun = { plan, rendition }
    // Whoever claims it awaits it, too, and meets what went wrong.
    const ended = rendition.then(
      () => onAudible(),
      () => onAudible(),
    )
    if (work.slots.counts().waiting === 0) await Promise.race([started, ended])
    else onAudible()
  }

  async function drop(): Promise<void> {
    const reason = new NotAsForeseen()
    dropped.abort(reason)
    duration.reject(reason)
    await beginning
    await begun?.rendition.catch(() => undefined)
  }

  // The probe meets what is wrong with the upload, too, and says so.
  const beginning = begin().catch(() => undefined)
  return {
    begun: beginning,
    drop,
    async claim(source, plan) {
      if (plan === undefined || begun === undefined || !isMadeAlike(plan, begun.plan)) {
        await drop()
        return undefined
      }
      name = plan.name
      // Before anything that was made of it already is told of.
      work.recorder.progress(name, { segments: 0, doneMs: 0 })
      duration.resolve(source.durationMs)
      const { rendition } = begun
      return {
        plan,
        audible,
        async finish(signal) {
          const stop = () => dropped.abort(signal.reason)
          signal.addEventListener('abort', stop, { once: true })
          if (signal.aborted) stop()
          try {
            return await rendition
          } finally {
            signal.removeEventListener('abort', stop)
          }
        },
      }
    },
  }
}
