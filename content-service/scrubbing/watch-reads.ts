import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import { whenThereIsRoom } from '@hexachord/platform/sqlite'
import { blocksOf } from '@hexachord/protocol/manifests'
import { BlockNotFound, type IpfsNode } from '@hexachord/storage/ipfs'
import { isTrackFault, loadLocalTrack } from '@hexachord/storage/tracks'
import type { Holding, HoldingStore } from '../duty/index.ts'

/** This node's blocks for those who read them, and an eye on what the reading shows. */
export type WatchedReads = Pick<IpfsNode, 'get' | 'size'> & {
  close(): Promise<void>
}

/** Damaged blocks that wait for their tracks to be found; beyond that the next scrub finds them. */
const queueLimit = 1_000

/**
 * Reads as the IPFS node does. A block that was on the disk but turns out corrupt is moved aside by that node and
 * read as not found; here the tracks that it belongs to are found, and noted as damaged, so that it comes back soon
 * and not only after the next scrub. A track whose manifest cannot be read at that moment is left to that scrub.
 * @param options.onDamage called with each holding that turned out incomplete
 */
export function watchReads(options: {
  ipfs: Pick<IpfsNode, 'get' | 'size'>
  holdings: HoldingStore
  onDamage: (holding: Holding) => void
  logger: Logger
  /** ms since 1970. */
  now: () => number
}): WatchedReads {
  const { ipfs, holdings, onDamage, logger, now } = options
  const closing = new AbortController()
  const { signal } = closing
  const waiting = { what: 'a damaged block', signal, logger }
  const damaged = new Set<string>()
  let searching: Promise<void> | undefined

  async function search(): Promise<void> {
    while (damaged.size > 0 && !signal.aborted) {
      // Whatever is reported while the search is under way may have been passed already: it has the next one.
      const wanted = new Set(damaged)
      damaged.clear()
      for (const holding of holdings.held()) {
        if (signal.aborted) return
        if (await hasAny(holding.manifest, wanted)) {
          logger.error(
            { subject: holding.subject, manifest: holding.manifest },
            'a reader met a damaged block',
          )
          const isNews = await whenThereIsRoom(() => holdings.damaged(holding, now()), waiting)
          if (isNews) onDamage(holding)
        }
        await nextTurn()
      }
    }
  }

  async function hasAny(manifest: string, wanted: ReadonlySet<string>): Promise<boolean> {
    try {
      return blocksOf(await loadLocalTrack(ipfs, manifest)).some(({ cid }) => wanted.has(cid))
    } catch (err) {
      const isFault = isTrackFault(err)
      logger.warn({ err, manifest }, isFault ? 'manifest is damaged' : 'manifest cannot be read now')
      return isFault
    }
  }

  function report(cid: string): void {
    if (signal.aborted || damaged.size >= queueLimit) return
    damaged.add(cid)
    searching ??= search()
      .catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
      .finally(() => {
        searching = undefined
      })
  }

  return {
    size: (cid, options) => ipfs.size(cid, options),
    async get(cid, options) {
      try {
        return await ipfs.get(cid, options)
      } catch (error) {
        if (error instanceof BlockNotFound && error.wasDamaged) report(cid)
        throw error
      }
    },
    async close() {
      closing.abort()
      await searching
    },
  }
}
