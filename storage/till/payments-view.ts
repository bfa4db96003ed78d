import type { Address, Hash } from '@hexachord/protocol/names'

/** Totals of a channel since its beginning, and what its payer has asked back, in base units. */
export type ChannelTotals = {
  readonly reserved: bigint
  readonly released: bigint
  readonly releasing: bigint
  readonly settled: bigint
}

/** What a till knows of the chain, as far as its node has read it: terms of tracks, and listeners' channels with this
 * operator. Amounts in base units of the payment token. */
export type PaymentsView = {
  /** Terms in force now; undefined for a track that is not registered, which is free. */
  termsOf(
    track: Hash,
  ): { unitPrice: bigint; nodeBps: number; curatorBps: number; version: number } | undefined
  /** Totals of a channel since its beginning, and what its payer has asked back; zeros where there is none. */
  channel(payer: Address, key: Address): ChannelTotals
  /** The same as of the newest block that no reorganisation undoes. */
  finalChannel(payer: Address, key: Address): ChannelTotals
  /** Calls after blocks, or a reorganisation, that changed something. @returns a function that ends it */
  onChange(
    listener: (what: { channels: { payer: Address; key: Address }[]; tracks: Hash[] }) => void,
  ): () => void
}
