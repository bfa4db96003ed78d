import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import { isDatabaseFull } from '@hexachord/platform/sqlite'
import type { LoadedTrack } from '@hexachord/protocol/manifests'
import { type Hash, type Subject, subjectFromBytes32, subjectToBytes32 } from '@hexachord/protocol/names'
import { type Catalogue, liveTrack } from '../catalogue/index.ts'
import { type IpfsNode, KuboUnavailable } from '../ipfs/index.ts'
import { IncompleteTrack, isTrackFault, loadLocalTrack } from '../tracks/index.ts'
import type { PaidBlocks } from './gate/index.ts'
import type { PaymentsView } from './payments-view.ts'

/** Tracks that are looked at in one round, in case they came here without being noticed. */
const tracksPerRound = 1_000
/** Between rounds, until all tracks that are registered were looked at: 100,000 in two or three minutes. */
const roundMs = 1_000
const defaultEveryMs = 30_000

export type PaidBlockKeeper = {
  /** Tells that a track is about to be brought here, before any block of it is: it is never here without being known. */
  expect(track: LoadedTrack): void
  /** Tells that something of a track has come here. */
  reconsider(subject: Subject): void
  close(): Promise<void>
}

/**
 * Keeps the index of what costs something: blocks of tracks that are registered for payments and whose manifest is here.
 * What they cost, if anything, the gate looks up when it is asked. A track is taken up before it is brought here, and when
 * it or its terms change; whatever came otherwise is found by rounds over all tracks that are registered, which go on by
 * their own clock whatever else happens.
 */
export function keepPaidBlocks(options: {
  view: Pick<PaymentsView, 'onChange' | 'termsOf'> & {
    tracks(after: Hash | undefined, limit: number): Hash[]
  }
  catalogue: Pick<Catalogue, 'onChange' | 'subject' | 'tracksWith' | 'behind'>
  paidBlocks: Pick<PaidBlocks, 'add' | 'remove' | 'has'>
  ipfs: Pick<IpfsNode, 'get' | 'has'>
  logger: Logger
  /** Rest after all tracks were looked at. @default 30 s */
  everyMs?: number | undefined
  /** Tracks of one round. @default 1,000 */
  perRound?: number
}): PaidBlockKeeper {
  const { view, catalogue, paidBlocks, ipfs, logger } = options
  const { everyMs = defaultEveryMs, perRound = tracksPerRound } = options
  const waiting = new Set<Subject>()
  const ending = new AbortController()
  const { signal } = ending
  let wake = Promise.withResolvers<void>()
  let after: Hash | undefined
  let nextRoundAt = 0

  function note(subjects: readonly Subject[]): void {
    if (subjects.length === 0) return
    for (const subject of subjects) waiting.add(subject)
    wake.resolve()
  }

  function isRegistered(subject: Subject): boolean {
    return view.termsOf(subjectToBytes32(subject)) !== undefined
  }

  async function reconsider(subject: Subject): Promise<void> {
    const state = catalogue.subject(subject)
    const track = liveTrack(subject, state)
    if (track === undefined || !isRegistered(subject)) {
      // While the chain is read anew, what is sold has not been published yet.
      if (state === undefined && catalogue.behind() > 0) return
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
    const tracks = view.tracks(after, perRound)
    after = tracks.length < perRound ? undefined : tracks.at(-1)
    note(tracks.map(subjectFromBytes32))
    nextRoundAt = performance.now() + (after === undefined ? everyMs : Math.min(roundMs, everyMs))
  }

  async function work(): Promise<void> {
    while (!signal.aborted) {
      if (performance.now() >= nextRoundAt) nextRound()
      wake = Promise.withResolvers()
      // What is noted meanwhile waits for its turn: rounds have theirs, however much there is.
      const batch = [...waiting]
      waiting.clear()
      for (const subject of batch) {
        try {
          await reconsider(subject)
        } catch (err) {
          if (signal.aborted) return
          if (!(err instanceof KuboUnavailable) && !isDatabaseFull(err)) throw err
          logger.warn({ err, subject }, 'it cannot be seen whether a track costs something')
        }
      }
      const rested = new AbortController()
      const rest = delay(Math.max(0, nextRoundAt - performance.now()), undefined, {
        signal: AbortSignal.any([signal, rested.signal]),
      }).catch(() => undefined)
      await Promise.race([rest, wake.promise])
      rested.abort()
    }
  }

  const unsubscribe = [
    catalogue.onChange(({ subjects }) => {
      note(subjects.filter(isRegistered))
    }),
    view.onChange(({ tracks }) => note(tracks.map(subjectFromBytes32))),
  ]
  const working = work()

  return {
    expect(track) {
      if (signal.aborted) return
      for (const { subject } of catalogue.tracksWith(track.cid)) {
        if (isRegistered(subject) && !paidBlocks.has(subject, track.cid)) paidBlocks.add(subject, track)
      }
    },
    reconsider: (subject) => note(isRegistered(subject) ? [subject] : []),
    async close() {
      for (const end of unsubscribe) end()
      ending.abort(new DOMException('the till is closing', 'AbortError'))
      wake.resolve()
      await working
    },
  }
}
