import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Rendition } from '@hexachord/protocol/manifests'
import {
  type AudioSource,
  guessSource,
  isMadeAlike,
  maximumDurationMs,
  planRenditions,
  type RenditionPlan,
  readsInOrder,
  renderRendition,
} from '../transcoding/index.ts'
import type { Arrival } from './arrival.ts'
import { encryptionOf } from './encrypt-rendition.ts'
import { probeSource } from './inspect-source.ts'
import { urgencies } from './make-renditions.ts'
import { currentUpload, ffmpegTimeoutMs, type Work } from './work.ts'

/**
 * Renditions that were begun while their file was still being probed. Starting ffprobe takes longer than copying a
 * song, and the first headers of a file nearly always tell what it will say. Nobody hears of a block before it has said
 * so.
 */
export type Foreseen = {
  /** What the file holds. Probing begins once ffmpeg was started, so as not to delay it, and all of the file is there.
   * Rejects as `probe` does, with ArrivalGivenUp, and with the reason of `drop`. */
  readonly source: Promise<AudioSource>
  /** Goes on with what was begun when it is made as one of `plans` wants it, and ends it otherwise. None is gone on
   * with unless the one that was foreseen to be first is. */
  claim(source: AudioSource, plans: readonly RenditionPlan[]): Promise<Claimed[]>
  /** Ends all that was begun. Resolves when nothing of it is left. */
  drop(reason?: unknown): Promise<void>
}

export type Claimed = {
  readonly plan: RenditionPlan
  /** Resolves once a segment of it is stored. Also where that is not waited for: it has ended, or has no core yet. */
  readonly audible: Promise<void>
  finish(signal: AbortSignal): Promise<Rendition>
}

/** One rendition that was begun. */
type Attempt = {
  readonly plan: RenditionPlan
  readonly started: Promise<void>
  /** Its first segment is; or it has ended, or has no core yet. */
  readonly stored: Promise<void>
  claim(source: AudioSource, plan: RenditionPlan): Claimed
  drop(): Promise<void>
}

/** The file turned out to be another than it seemed, or none at all. */
class NotAsForeseen extends Error {
  override readonly name = 'NotAsForeseen'
}

/** Enough of a file to tell what it seems to be. */
const headBytes = 64 * 1024
/** Of a file that is sent from nearby, or that is short. */
const momentMs = 250

/**
 * Begins the renditions that a file will most likely have first, once cores are free for them.
 * @param arrival of the file, when it is still coming: what only copies its frames is begun with the first of them
 */
export function foreseeRenditions(work: Work, outer: AbortSignal, arrival?: Arrival): Foreseen {
  const dropped = new AbortController()
  const signal = AbortSignal.any([outer, dropped.signal])
  const attempts: Attempt[] = []

  // Each process holds everything up while it is started: the first is what is waited for, and then its probe. Others
  // would take a processor from the first segment, with which listening begins; once that is stored none waits for the
  // probe, since what is made last waits for them.
  async function begin(): Promise<AudioSource> {
    const { source } = currentUpload(work)
    // What was probed before, such as by a run that was interrupted, need not be guessed.
    if (source !== undefined) return source
    await arrival?.reached(headBytes)
    if (arrival !== undefined && !(await readsInOrder(work.input))) await arrival.whole()
    const guess = await guessSource(work.input)
    signal.throwIfAborted()
    const [first, ...others] = guess === undefined ? [] : foreseeable(guess)
    // What is there in a moment is read from the disk, which costs this process nothing.
    if (arrival !== undefined) await (first?.method === 'copy' ? arrival.within(momentMs) : arrival.whole())
    if (first !== undefined) attempts.push(attempt(work, first, signal, arrival))
    await Promise.all([attempts[0]?.started, arrival?.whole()])
    const probing = probeSource(work, signal)
    // What is wrong with the file is met when it is returned.
    probing.catch(() => undefined)
    if (others.length > 0) await attempts[0]?.stored
    for (const plan of others) attempts.push(attempt(work, plan, signal))
    return probing
  }

  async function drop(reason: unknown = new NotAsForeseen()): Promise<void> {
    dropped.abort(reason)
    await source.catch(() => undefined)
    await Promise.all(attempts.splice(0).map((one) => one.drop()))
  }

  const source = begin()
  // Whoever works on the upload awaits it, too, and meets what is wrong with the file.
  source.catch(() => undefined)
  return {
    source,
    drop,
    async claim(source, plans) {
      const claimed: Claimed[] = []
      for (const [place, one] of attempts.entries()) {
        const plan = plans.find((wanted) => isMadeAlike(wanted, one.plan))
        if (plan === undefined || (place === 0 && plan !== plans[0])) break
        claimed.push(one.claim(source, plan))
      }
      await Promise.all(attempts.splice(claimed.length).map((one) => one.drop()))
      return claimed
    },
  }
}

/** The first; beside one that only copies frames the next, too, where headers say how that will be made. */
function foreseeable(guess: AudioSource): RenditionPlan[] {
  const plans = planRenditions(guess)
  return plans.slice(0, guess.lossless && plans[0]?.method === 'copy' ? 2 : 1)
}

function attempt(work: Work, foreseen: RenditionPlan, outer: AbortSignal, arrival?: Arrival): Attempt {
  const dropped = new AbortController()
  const signal = AbortSignal.any([outer, dropped.signal])
  const duration = Promise.withResolvers<number>()
  duration.promise.catch(() => undefined)
  const { promise: audible, resolve: onAudible } = Promise.withResolvers<void>()
  const { promise: started, resolve: onStart } = Promise.withResolvers<void>()
  const { promise: stored, resolve: onStored } = Promise.withResolvers<void>()
  let name = ''
  const urgency = foreseen.method === 'copy' ? urgencies.copying : urgencies.firstRendition
  const rendition = work.slots.run(urgency, signal, async (onRendered) =>
    renderRendition({
      ...{ plan: foreseen, signal, onStart, onRendered, ffmpeg: work.ffmpeg },
      input: (await arrival?.input()) ?? work.input,
      durationMs: duration.promise,
      // Of its own: one that was given up may still be clearing up behind it.
      directory: join(work.workDirectory, work.id, `${foreseen.name}-${randomUUID()}`),
      timeoutMs: ffmpegTimeoutMs(maximumDurationMs),
      encryption: encryptionOf(work, foreseen),
      async store(bytes) {
        const cid = await work.recorder.store(bytes, 'raw', duration.promise)
        onStored()
        return cid
      },
      onProgress(soFar) {
        work.recorder.progress(name, soFar)
        onAudible()
      },
    }),
  )
  // Whoever claims it awaits it, too, and meets what went wrong.
  const onEnd = () => {
    onStart()
    onStored()
    onAudible()
  }
  rendition.then(onEnd, onEnd)
  if (work.slots.counts().waiting > 0) onEnd()
  return {
    plan: foreseen,
    started,
    stored,
    claim(source, plan) {
      name = plan.name
      // Before anything that was made of it already is told of.
      work.recorder.progress(name, { segments: 0, doneMs: 0 })
      duration.resolve(source.durationMs)
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
    async drop() {
      const reason = new NotAsForeseen()
      dropped.abort(reason)
      duration.reject(reason)
      await rendition.catch(() => undefined)
    },
  }
}
