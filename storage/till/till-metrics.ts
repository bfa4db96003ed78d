import type { Metrics } from '@hexachord/platform/process'

/** What a till counts, without anybody's name. */
export type TillMetrics = {
  served(how: 'paid' | 'repeated'): void
  /** Of a paid block, or of what is free anyway. */
  servedPeer(bytes: number, isPaid: boolean): void
  refused(reason: string): void
}

export function createTillMetrics(
  metrics: Metrics,
  counts: () => { channels: number; sessions: number },
): TillMetrics {
  const blocks = metrics.counter({
    name: 'till_blocks_total',
    help: 'Paid blocks that were served: charged, fetched again, or for a node of the network',
    labelNames: ['how'],
  })
  const peerBytes = metrics.counter({
    name: 'till_peer_bytes_total',
    help: 'Bytes that nodes of the network fetched for nothing, of paid tracks or of free ones',
    labelNames: ['track'],
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
  const bytesOf = { paid: peerBytes.labels('paid'), free: peerBytes.labels('free') }
  return {
    served: (how) => children[how].inc(),
    servedPeer(bytes, isPaid) {
      if (isPaid) children.peer.inc()
      bytesOf[isPaid ? 'paid' : 'free'].inc(bytes)
    },
    refused: (reason) => refusals.inc({ reason }),
  }
}
