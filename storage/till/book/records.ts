import type { Address, Hash, Subject } from '@hexachord/protocol/names'

/**
 * What happens in a book: applied in order to an empty one they make it again. A journal keeps them as JSON. Amounts are
 * decimal strings in base units, times ms since 1970.
 */
export type BookRecord =
  /** A session begins; `base` is where the channel begins if there is none yet. */
  | ({ readonly do: 'open'; readonly base: string } & SessionFacts)
  /** A voucher takes the place of the last one; of that one's lines `kept` hex digits stand, and `lines` follow. */
  | {
      readonly do: 'pay'
      readonly payer: Address
      readonly key: Address
      readonly cumulative: string
      readonly kept: number
      readonly lines: string
      readonly signature: string
      /** Whether it needs a reserve that no final block has. */
      readonly beyond: boolean
      /** Where it does: whether the one before it does not any more, and is kept. Not in older records. */
      readonly keepsLast?: true
    }
  | {
      readonly do: 'charge'
      readonly session: number
      readonly unit: number
      readonly price: string
      /** Whether it was served on a reserve that the chain has not got yet. */
      readonly awaited: boolean
    }
  | {
      readonly do: 'await'
      readonly payer: Address
      readonly key: Address
      readonly total: string
      readonly untilMs: number
      readonly units: number
    }
  | { readonly do: 'freeze'; readonly payer: Address; readonly key: Address; readonly which: 'last' | 'sure' }
  /** `place` is that of the frozen voucher, whose `instead` comes in its place. */
  | { readonly do: 'fallBack'; readonly payer: Address; readonly key: Address; readonly place: number }
  | { readonly do: 'settle'; readonly payer: Address; readonly key: Address; readonly amount: string }
  /** A channel goes, with sessions that have ended: another begins at what the chain has settled. */
  | { readonly do: 'forget'; readonly payer: Address; readonly key: Address }
  /** All of a channel: how a journal begins after it was written anew. */
  | {
      readonly do: 'channel'
      readonly payer: Address
      readonly key: Address
      readonly base: string
      readonly last: KeptVoucher | null
      readonly sure: KeptVoucher | null
      /** One or none in journals of before. */
      readonly frozen: readonly KeptFrozen[] | KeptVoucher | null
      readonly credits: readonly (readonly [Hash, string])[]
      readonly awaited: { readonly total: string; readonly untilMs: number; readonly units: number } | null
    }
  /** Units that were charged in a session, after its `open`, where a journal was written anew. */
  | { readonly do: 'charged'; readonly session: number; readonly units: readonly number[] }

export type SessionFacts = {
  /** Names it in the records of one book. */
  readonly session: number
  /** Known only to its listener. */
  readonly token: string
  /** Digest of what it was opened with. */
  readonly opening: Hash
  readonly payer: Address
  readonly key: Address
  readonly subject: Subject
  readonly curator: Address
  /** CID of the track's manifest when it was opened, and how many units that has. */
  readonly manifest: string
  readonly units: number
  readonly expiresAt: number
}

export type KeptVoucher = {
  readonly base: string
  readonly cumulative: string
  readonly lines: string
  readonly signature: string
}

export type KeptFrozen = KeptVoucher & { readonly instead?: KeptVoucher }
