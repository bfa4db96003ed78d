import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import { whenThereIsRoom } from '@hexachord/platform/sqlite'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import { type TrackVerdict, verifyTrack } from '@hexachord/storage/tracks'
import type { Holding, HoldingStore } from '../duty/index.ts'
import type { ScrubReport, ScrubStore } from './scrub-store.ts'

/** Reads everything that this node has promised to hold, over and over, at a bounded rate. */
export type Scrubber = {
  close(): Promise<void>
}

export type ScrubPace = {
  /** @default 8 MiB: a terabyte in a day and a half, a twentieth of what a plain disk reads */
  readonly bytesPerSecond?: number
  /** Between the beginnings of two passes over everything, at least. @default 6 h */
  readonly passEveryMs?: number
  /** How long to rest when there is nothing to do, or nothing can be read. @default 60 s */
  readonly idleMs?: number
}

const defaultPace: Required<ScrubPace> = {
  bytesPerSecond: 8 * 1024 * 1024,
  passEveryMs: 6 * 3_600_000,
  idleMs: 60_000,
}

/**
 * Hashes every block of every track held. A corrupt block is moved aside by the IPFS node; its track, like one of
 * which a block is gone, becomes missing, so that the keeper brings the block here again from somebody else. What
 * cannot be read because the IPFS node is away or in trouble is not damaged: it is left for the next pass.
 * @param options.onDamage called with each holding that turned out incomplete
 * @param options.onWhole called with each holding of which every block is what it should be
 */
export function createScrubber(options: {
  ipfs: Pick<IpfsNode, 'check' | 'get' | 'verify'>
  holdings: Pick<HoldingStore, 'leastScrubbed' | 'scrubbed' | 'damaged'>
  store: ScrubStore
  onDamage: (holding: Holding) => void
  onWhole: (holding: Holding) => Promise<void>
  logger: Logger
  /** ms since 1970. */
  now: () => number
  pace?: ScrubPace
}): Scrubber {
  const { ipfs, holdings, store, onDamage, onWhole, logger, now } = options
  const pace = { ...defaultPace, ...options.pace }
  const closing = new AbortController()
  const { signal } = closing
  const write = <Result>(work: () => Result | Promise<Result>) =>
    whenThereIsRoom(work, { what: 'the scrub', signal, logger })

  async function run(): Promise<void> {
    for (;;) {
      const report: ScrubReport = {
        startedAt: now(),
        finishedAt: null,
        tracks: 0,
        blocks: 0,
        bytes: 0,
        corrupt: 0,
        missing: 0,
      }
      for (let holding = next(report); holding !== undefined; holding = next(report)) {
        await scrub(holding, report)
        await write(() => store.put(report))
      }
      if (report.tracks > 0) {
        report.finishedAt = now()
        await write(() => store.put(report))
        logger.info({ ...report }, 'everything held was scrubbed')
      }
      const untilNextPassMs = report.startedAt + pace.passEveryMs - now()
      await delay(Math.max(pace.idleMs, report.tracks > 0 ? untilNextPassMs : 0), undefined, { signal })
    }
  }

  function next({ startedAt }: ScrubReport): Holding | undefined {
    signal.throwIfAborted()
    return holdings.leastScrubbed(startedAt)
  }

  async function scrub(holding: Holding, report: ScrubReport): Promise<void> {
    const { subject, manifest } = holding
    await write(() => holdings.scrubbed(holding, now()))
    const found = await verify(holding)
    if (found === undefined) return untilReadable()
    const { blocks, bytes, corrupt, missing } = found
    report.tracks += 1
    report.blocks += blocks
    report.bytes += bytes
    report.corrupt += corrupt
    report.missing += missing
    if (corrupt + missing === 0) {
      await write(() => onWhole(holding))
      return
    }
    logger.error({ subject, manifest, corrupt, missing }, 'blocks of a held track are damaged')
    if (await write(() => holdings.damaged(holding, now()))) onDamage(holding)
  }

  async function verify({ subject, manifest }: Holding): Promise<TrackVerdict | undefined> {
    try {
      return await verifyTrack(ipfs, manifest, { bytesPerSecond: pace.bytesPerSecond, signal })
    } catch (err) {
      signal.throwIfAborted()
      logger.error({ err, subject, manifest }, 'a held track cannot be read now: the next scrub tries again')
      return undefined
    }
  }

  async function untilReadable(): Promise<void> {
    for (;;) {
      await delay(pace.idleMs, undefined, { signal })
      try {
        return await ipfs.check({ signal })
      } catch (err) {
        signal.throwIfAborted()
        logger.warn({ err }, 'the scrub waits for the IPFS node')
      }
    }
  }

  const running = run().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  return {
    async close() {
      closing.abort(new DOMException('the node is closing', 'AbortError'))
      await running
    },
  }
}
