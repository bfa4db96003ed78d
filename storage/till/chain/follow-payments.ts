import type { NetworkFile } from '@hexachord/contracts/networks'
import { type ChainReader, followChain } from '@hexachord/platform/chain'
import type { Logger } from '@hexachord/platform/process'
import { type Sqlite, whenThereIsRoom } from '@hexachord/platform/sqlite'
import type { Address, Hash } from '@hexachord/protocol/names'
import type { PaymentsView } from '../payments-view.ts'
import { channelTopics } from './payment-logs.ts'
import { termsAt } from './payment-rules.ts'
import { openPaymentsStore, type PaymentsChange } from './payments-store.ts'

export type FollowedPayments = PaymentsView & {
  /** Up to `limit` tracks with terms behind one, in the order of their names. */
  tracks(after: Hash | undefined, limit: number): Hash[]
  /** Tracks whose terms are about to change, within so many ms. */
  changing(withinMs: number): Hash[]
  /** The last block that is part of every answer. */
  indexed(): number
  /** Resolves once the block that is the head at the time of the call is indexed. @throws what the chain's node gives, or the signal's reason */
  caughtUp(signal: AbortSignal): Promise<void>
  /** Resolves when following has ended; rejects if it cannot go on (`ReorgTooDeep`). */
  readonly finished: Promise<void>
  close(): Promise<void>
}

/**
 * Follows TrackRegistry, and of StreamEscrow what it says of channels with this operator, from the network's first block,
 * or from where the database ends, to the head and on. While the chain is away, answers stay as they are.
 * @param options.database opened with `paymentsMigrations`
 */
export function followPayments(options: {
  database: Sqlite
  reader: ChainReader
  network: NetworkFile
  /** Whose channels: the node that vouchers are signed for. */
  operator: Address
  /** Unix time in ms. */
  now: () => number
  signal: AbortSignal
  logger: Logger
  /** Between looks at the head, in ms. @default as of `followChain` */
  pollMs?: number | undefined
}): FollowedPayments {
  const { reader, network, operator, now, logger } = options
  const { payments, firstBlock } = network
  if (payments === undefined) throw new TypeError('the network has no payments')
  const { streamEscrow, trackRegistry } = payments
  const store = openPaymentsStore(options.database, {
    source: [network.chainId, streamEscrow, trackRegistry, firstBlock, operator].join('/').toLowerCase(),
    firstBlock,
  })
  const listeners = new Set<Parameters<PaymentsView['onChange']>[0]>()
  const ending = new AbortController()
  const signal = AbortSignal.any([options.signal, ending.signal])
  let progress = store.progress()
  /** Replaced at every step, so that whoever waits looks again. */
  let step = Promise.withResolvers<void>()

  function advance(change: PaymentsChange): void {
    progress = store.progress()
    step.resolve()
    step = Promise.withResolvers()
    if (change.channels.length === 0 && change.tracks.length === 0) return
    for (const listener of listeners) listener(change)
  }

  async function follow(): Promise<void> {
    const events = followChain({
      ...{ reader, logger, signal },
      addresses: [trackRegistry],
      narrowed: [{ address: streamEscrow, topics: channelTopics(operator) }],
      startBlock: firstBlock,
      finalityBlocks: network.finalityBlocks,
      known: async () => store.blocks(),
      ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
    })
    for await (const event of events) {
      const write = () => (event.type === 'reorg' ? store.undoTo(event.toBlock) : store.append(event))
      advance(await whenThereIsRoom(write, { what: 'what was read of payments', signal, logger }))
    }
  }

  const following = follow().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  // Two views of one promise: whoever waits for blocks must not keep a failure from those who watch over `finished`.
  const finished = following.then(() => undefined)
  let failure: unknown
  const ended = following.catch((error: unknown) => {
    failure = error
  })

  /** In unix seconds. Contracts know the time of their block only; a clock that is behind must not hold a change up. */
  const chainTime = () => Math.max(now() / 1000, progress.timestamp)

  return {
    termsOf(track) {
      const terms = store.track(track)
      return terms === undefined ? undefined : termsAt(terms, chainTime())
    },
    changing: (withinMs) => store.changing(chainTime(), chainTime() + withinMs / 1000),
    channel: store.channel,
    finalChannel: store.finalChannel,
    tracks: store.tracks,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    indexed: () => progress.indexed,
    async caughtUp(waiting) {
      const { number } = await reader.head()
      const { promise, reject } = Promise.withResolvers<never>()
      const give = () => reject(waiting.reason)
      waiting.addEventListener('abort', give, { once: true })
      try {
        while (progress.indexed < number) {
          waiting.throwIfAborted()
          signal.throwIfAborted()
          await Promise.race([step.promise, promise, ended])
          if (failure !== undefined) throw failure
        }
      } finally {
        waiting.removeEventListener('abort', give)
      }
    },
    finished,
    async close() {
      ending.abort(new DOMException('payments are no longer followed', 'AbortError'))
      await finished
    },
  }
}
