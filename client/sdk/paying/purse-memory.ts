import { type Address, addressSchema, type Subject, subjectSchema } from '@hexachord/protocol/names'
import { type PaymentsNetwork, paymentDomains } from '@hexachord/protocol/payments'
import * as z from 'zod'
import { inNetwork, type PurseState } from './purse-state.ts'

/** What was paid, for its owner's books. A unit that was paid ahead is the one that was expected to come next. */
export type Receipt = {
  readonly atMs: number
  readonly track: Subject
  readonly unit: number
  readonly node: Address
  /** The zero address for nobody. */
  readonly curator: Address
  /** In base units of the payment token. */
  readonly amount: bigint
}

/** Where a purse keeps what it must not forget, for one spending key. */
export type PurseMemory = {
  /** @returns an empty state where nothing was kept; damage is an error, since a purse that forgot what it signed would
   * have to be told by its nodes */
  load(): Promise<PurseState>
  /** Changes the state with nobody else changing it meanwhile, such as another page or command of the same user.
   * Durable when it resolves: only then does a voucher leave. What `change` throws is thrown, and changes nothing.
   * @param change called again where somebody else was faster: what it did the last time counts
   * @param receipts of what the change pays, kept with it */
  update(
    change: (state: PurseState) => PurseState | Promise<PurseState>,
    receipts?: readonly Receipt[],
  ): Promise<PurseState>
  /** Oldest first. */
  receipts(): Promise<readonly Receipt[]>
}

/** A memory with what it knows of the nodes of one network. */
export function memoryIn(network: PaymentsNetwork, memory: PurseMemory): PurseMemory {
  const { escrow } = paymentDomains(network)
  return {
    load: async () => inNetwork(await memory.load(), escrow),
    update: (change, receipts) => memory.update((state) => change(inNetwork(state, escrow)), receipts),
    receipts: () => memory.receipts(),
  }
}

/** As CSV (RFC 4180), with a header; times as in ISO 8601, amounts in whole tokens. */
export function receiptsCsv(receipts: readonly Receipt[], format: (amount: bigint) => string): string {
  const rows = receipts.map(({ atMs, track, unit, node, curator, amount }) =>
    [new Date(atMs).toISOString(), track, unit, node, curator, format(amount)].join(','),
  )
  return ['time,track,unit,node,curator,amount', ...rows, ''].join('\r\n')
}

/** For memories that outlive the program that wrote them. */
export const receiptSchema = z.object({
  atMs: z.int(),
  track: subjectSchema,
  unit: z.int(),
  node: addressSchema,
  curator: addressSchema,
  amount: z.string().transform(BigInt),
})
