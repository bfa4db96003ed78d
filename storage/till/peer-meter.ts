import type { Metrics } from '@hexachord/platform/process'
import type { Address } from '@hexachord/protocol/names'

/** Operators that are told apart; what others fetch is counted together, since each is a label of a metric for ever. */
const mostOperators = 100

/** What an operator has fetched here for nothing since this process started; `null` for all that are not told apart. */
export type PeerServed = {
  readonly operator: Address | null
  /** Of tracks that cost something, in bytes. */
  readonly paidBytes: number
  /** Of those that are free anyway. */
  readonly freeBytes: number
}

/** Counts what nodes of the network fetch by a signed header, as blocks, CARs or files. */
export type PeerMeter = {
  served(operator: Address, bytes: number, isPaid: boolean): void
  /** Who has fetched most comes first. */
  report(): PeerServed[]
}

export function createPeerMeter(metrics: Metrics): PeerMeter {
  const counter = metrics.counter({
    name: 'till_peer_bytes_total',
    help: 'Bytes that nodes of the network fetched for nothing, of paid tracks or of free ones, by operator',
    labelNames: ['track', 'operator'],
  })
  const childrenOf = (label: string) => ({
    paid: counter.labels('paid', label),
    free: counter.labels('free', label),
  })
  const counted = new Map<
    Address | null,
    ReturnType<typeof childrenOf> & { paidBytes: number; freeBytes: number }
  >()

  function entryOf(operator: Address | null) {
    const known = counted.get(operator)
    if (known !== undefined) return known
    if (operator !== null && counted.size >= mostOperators) return entryOf(null)
    const entry = { ...childrenOf(operator ?? 'other'), paidBytes: 0, freeBytes: 0 }
    counted.set(operator, entry)
    return entry
  }

  return {
    served(operator, bytes, isPaid) {
      const entry = entryOf(operator)
      entry[isPaid ? 'paid' : 'free'].inc(bytes)
      entry[isPaid ? 'paidBytes' : 'freeBytes'] += bytes
    },
    report: () =>
      [...counted]
        .map(([operator, { paidBytes, freeBytes }]) => ({ operator, paidBytes, freeBytes }))
        .sort((a, b) => b.paidBytes + b.freeBytes - (a.paidBytes + a.freeBytes)),
  }
}
