import type { Metrics } from '@hexachord/platform/process'
import type { Address } from '@hexachord/protocol/names'
import type { PeerMeter } from './peer-meter.ts'

/** What a till counts, without anybody's name. */
export type TillMetrics = {
  served(how: 'paid' | 'repeated'): void
  /** A node of the network was given something of a paid track, or of one that is free anyway. */
  servedPeer(operator: Address, bytes: number, isPaid: boolean): void
  refused(reason: string): void
}

export function createTillMetrics(
  metrics: Metrics,
  peers: Pick<PeerMeter, 'served'>,
  counts: () => { channels: number; sessions: number },
): TillMetrics {
  const blocks = metrics.counter({
    name: 'till_blocks_total',
    help: 'Paid blocks that were served: charged, fetched again, or for a node of the network',
    labelNames: ['how'],
  })
  const refusals = metrics.counter({
    name: 'till_refusals_total',
    help: 'Requests that were not served because of payment',
    labelNames: ['reason'],
  })
  const inBook = metrics.gauge({
    name: 'till_book',
    help: 'Channels and sessions in the book',
    labelNames: ['what'],
    collect() {
      const { channels, sessions } = counts()
      inBook.set({ what: 'channels' }, channels)
      inBook.set({ what: 'sessions' }, sessions)
    },
  })
  const children = {
    paid: blocks.labels('paid'),
    repeated: blocks.labels('repeated'),
    peer: blocks.labels('peer'),
  }
  return {
    served: (how) => children[how].inc(),
    servedPeer(operator, bytes, isPaid) {
      if (isPaid) children.peer.inc()
      peers.served(operator, bytes, isPaid)
    },
    refused: (reason) => refusals.inc({ reason }),
  }
}
