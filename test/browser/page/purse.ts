import { parsed } from '@hexachord/protocol/checked'
import type { Address, Subject } from '@hexachord/protocol/names'
import type { PaymentsNetwork } from '@hexachord/protocol/payments'
import type { OperatorAnswer } from '@hexachord/protocol/rest'
import type { Connection } from '@hexachord/sdk/connect'
import { keyFromPrivateKey } from '@hexachord/sdk/keys'
import {
  browserPurseMemory,
  openPurse,
  ownSpender,
  PaymentNeeded,
  type PurseOptions,
  playPaid,
} from '@hexachord/sdk/paying'

/** What the test calls in the page. */
declare global {
  interface Window {
    purse: typeof purse
  }
}

/** What a page is told of a listener who pays a node for a track. */
export type Paying = {
  readonly privateKey: string
  readonly network: PaymentsNetwork
  readonly track: Subject
  readonly node: Address
}

/** What a node sells, and where it listens: its operator is registered for another origin. */
export type Sold = {
  readonly origin: string
  readonly operator: OperatorAnswer
  readonly cids: readonly string[]
  readonly unitPrice: string
}

const purse = {
  /** Limits what may be spent in a month. */
  async limit(paying: Paying, perMonth: string): Promise<void> {
    await (await open(paying)).setBudget({ perHour: null, perMonth: BigInt(perMonth) })
  },

  /** Pays for units, one after the other, as a page that plays does. @returns how many the budget allowed, and ms each */
  async pay(paying: Paying, units: readonly number[]): Promise<{ paid: number; msEach: number }> {
    const opened = await open(paying)
    const { track, node } = paying
    const startedAt = performance.now()
    let paid = 0
    for (const unit of units) {
      try {
        await opened.sign({ track, node, curator: `0x${'00'.repeat(20)}`, parts: [{ unit, amount: 1n }] })
        paid += 1
      } catch (error) {
        if (!(error instanceof PaymentNeeded && error.lack === 'budget')) throw error
      }
    }
    return { paid, msEach: (performance.now() - startedAt) / units.length }
  },

  /** Keeps receipts as if so many units had been paid for. */
  async fill({ track, node, privateKey }: Paying, count: number): Promise<void> {
    const { address } = keyFromPrivateKey(privateKey)
    const receipt = { atMs: 0, track, node, curator: node, amount: 1n }
    const receipts = Array.from({ length: count }, (_, unit) => ({ ...receipt, unit }))
    await browserPurseMemory(address, window).update((state) => state, receipts)
  },

  /** Plays a track at a node, unit by unit, as one of several tabs may. */
  async hear(paying: Paying, { origin, operator, cids, unitPrice }: Sold): Promise<void> {
    const opened = await open(paying, {
      http: (url, init) => fetch(String(url).replace(operator.endpoint, origin), init),
      discover: async (_path, schema) => parsed(schema, { items: [operator], next: null }),
      termsOf: async () => ({ unitPrice: BigInt(unitPrice), nodeBps: 1_500, curatorBps: 0 }),
    })
    const play = await playPaid(opened, { track: paying.track })
    void play?.prepare(0, cids.length - 1)
    for (const [unit, cid] of cids.entries()) await play?.block(cid, unit)
  },

  async units(paying: Paying): Promise<number[]> {
    return (await (await open(paying)).receipts()).map(({ unit }) => unit)
  },
}
window.purse = purse

function open(
  { privateKey, network }: Paying,
  {
    termsOf,
    ...connection
  }: Partial<Pick<Connection, 'http' | 'discover'> & Pick<PurseOptions, 'termsOf'>> = {},
) {
  const spender = ownSpender(keyFromPrivateKey(privateKey))
  return openPurse({
    ...{ spender, network, memory: browserPurseMemory(spender.key.address, window) },
    connection: {
      now: Date.now,
      http: (url, init) => fetch(url, init),
      discover: () => Promise.reject(new Error('nobody is asked')),
      ...connection,
    },
    termsOf: termsOf ?? (async () => undefined),
  })
}
