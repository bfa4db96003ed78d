import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import { isDatabaseFull } from '@hexachord/platform/sqlite'
import { type Hash, type Subject, subjectFromBytes32, subjectToBytes32 } from '@hexachord/protocol/names'
import { type Catalogue, liveTrack } from '../catalogue/index.ts'
import { type IpfsNode, KuboUnavailable } from '../ipfs/index.ts'
import { IncompleteTrack, isTrackFault, loadLocalTrack } from '../tracks/index.ts'
import type { PaidBlocks } from './gate/index.ts'
import type { PaymentsView } from './payments-view.ts'

/** Tracks that are looked at in one round, in case they came here without being noticed. */
const tracksPerRound = 1_000
const defaultEveryMs = 30_000

/**
 * Keeps the index of what costs something: blocks of tracks that are registered for payments and whose manifest is here.
 * What they cost, if anything, the gate looks up when it is asked.
 */
export function keepPaidBlocks(options: {
  view: Pick<PaymentsView, 'onChange' | 'termsOf'> & {
    tracks(after: Hash | undefined, limit: number): Hash[]
  }
  catalogue: Pick<Catalogue, 'onChange' | 'subject'>
  paidBlocks: Pick<PaidBlocks, 'add' | 'remove' | 'has'>
  ipfs: Pick<IpfsNode, 'get' | 'has'>
  logger: Logger
  /** Between rounds. @default 30 s */
  everyMs?: number | undefined
}): { close(): Promise<void> } {
  const { view, catalogue, paidBlocks, ipfs, logger } = options
  const waiting = new Set<Subject>()
  const ending = new AbortController()
  const { signal } = ending
  let wake = Promise.withResolvers<void>()
  let after: Hash | undefined

  function note(subjects: Iterable<Subject>): void {
    for (const subject of subjects) waiting.add(subject)
    wake.resolve()
  }

  async function reconsider(subject: Subject): Promise<void> {
    const track = liveTrack(subject, catalogue.subject(subject))
    if (track === undefined || view.termsOf(subjectToBytes32(subject)) === undefined) {
      paidBlocks.remove(subject)
      return
    }
    const { manifest } = track
    if (paidBlocks.has(subject, manifest) || !(await ipfs.has(manifest, { signal }))) return
    try {
      paidBlocks.add(subject, await loadLocalTrack(ipfs, manifest))
    } catch (error) {
      // It may still be on its way here, and is looked at again.
      if (!(error instanceof IncompleteTrack) && !isTrackFault(error)) throw error
    }
  }

  function nextRound(): void {
    const tracks = view.tracks(after, tracksPerRound)
    after = tracks.length < tracksPerRound ? undefined : tracks.at(-1)
    note(tracks.map(subjectFromBytes32))
  }

  async function work(): Promise<void> {
    while (!signal.aborted) {
      for (const subject of waiting) {
        waiting.delete(subject)
        try {
          await reconsider(subject)
        } catch (err) {
          if (signal.aborted) return
          if (!(err instanceof KuboUnavailable) && !isDatabaseFull(err)) throw err
          logger.warn({ err, subject }, 'it cannot be seen whether a track costs something')
        }
      }
      const rested = new AbortController()
      const rest = delay(options.everyMs ?? defaultEveryMs, true, {
        signal: AbortSignal.any([signal, rested.signal]),
      }).catch(() => false)
      if (await Promise.race([rest, wake.promise])) nextRound()
      rested.abort()
      wake = Promise.withResolvers()
    }
  }

  const unsubscribe = [
    catalogue.onChange(({ subjects }) => {
      note(subjects.filter((subject) => view.termsOf(subjectToBytes32(subject)) !== undefined))
    }),
    view.onChange(({ tracks }) => note(tracks.map(subjectFromBytes32))),
  ]
  nextRound()
  const working = work()

  return {
    async close() {
      for (const end of unsubscribe) end()
      ending.abort(new DOMException('the till is closing', 'AbortError'))
      wake.resolve()
      await working
    },
  }
}
