import type { Metrics } from '@hexachord/platform/process'
import type { ContentStatus } from './status.ts'

/** What has happened since this process started, as it happens. */
export type ContentMetrics = {
  offerRefused(reason: string): void
  offerEnded(outcome: 'held' | 'failed' | 'expired'): void
  repairEnded(outcome: 'brought' | 'failed'): void
  trackDamaged(foundBy: 'scrub' | 'reader'): void
}

export function createContentMetrics(metrics: Metrics): ContentMetrics {
  const refused = metrics.counter({
    name: 'content_offers_refused_total',
    help: 'Offers that were not taken, by the reason that was given',
    labelNames: ['reason'],
  })
  const ended = metrics.counter({
    name: 'content_offers_ended_total',
    help: 'Offers that were taken and are no longer being pulled',
    labelNames: ['outcome'],
  })
  const repairs = metrics.counter({
    name: 'content_repairs_total',
    help: 'Tries to bring a missing track here',
    labelNames: ['outcome'],
  })
  const damaged = metrics.counter({
    name: 'content_tracks_damaged_total',
    help: 'Held tracks of which a block was found corrupt or gone',
    labelNames: ['found_by'],
  })
  return {
    offerRefused: (reason) => refused.inc({ reason }),
    offerEnded: (outcome) => ended.inc({ outcome }),
    repairEnded: (outcome) => repairs.inc({ outcome }),
    trackDamaged: (foundBy) => damaged.inc({ found_by: foundBy }),
  }
}

/** The figures of `/status` for Prometheus, read when it asks. */
export function exposeStatus(metrics: Metrics, status: () => Promise<ContentStatus>): void {
  const tracks = metrics.gauge({
    name: 'content_tracks',
    help: 'Tracks by what this node does with them',
    labelNames: ['state'],
    async collect() {
      const { held, missing, releasing, extra, leases } = await status()
      tracks.set({ state: 'held' }, held)
      tracks.set({ state: 'missing' }, missing)
      tracks.set({ state: 'releasing' }, releasing)
      tracks.set({ state: 'extra' }, extra)
      tracks.set({ state: 'pulling' }, leases.pulling)
      tracks.set({ state: 'leased' }, leases.held)
    },
  })
  const bytes = metrics.gauge({
    name: 'content_bytes',
    help: 'Bytes of blocks by what they are',
    labelNames: ['kind'],
    async collect() {
      const { ipfs, freeBytes, leases, lastScrub } = await status()
      bytes.set({ kind: 'stored' }, ipfs.bytes)
      bytes.set({ kind: 'free' }, freeBytes)
      bytes.set({ kind: 'leased' }, leases.bytes)
      bytes.set({ kind: 'scrubbed' }, lastScrub?.bytes ?? 0)
    },
  })
  const behind = metrics.gauge({
    name: 'content_blocks_behind',
    help: 'Blocks of the chain that this node has not read yet',
    async collect() {
      const { head, indexed } = await status()
      behind.set(head - indexed)
    },
  })
}
