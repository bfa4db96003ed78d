import type { Subject } from '@hexachord/protocol/names'
import * as z from 'zod'
import type { Connection } from '../connect/index.ts'
import type { EscrowReader, Token } from './escrow-reader.ts'
import type { TermsReader, ToldTerms, TrackTerms } from './purse.ts'
import { tokenOf } from './token-amounts.ts'

/** Of `GET /v1/tracks/:id`, what a listener has to know of the price. */
const pricedSchema = z.looseObject({
  terms: z
    .looseObject({
      unitPrice: z.string().regex(/^(0|[1-9][0-9]*)$/),
      nodeBps: z.int(),
      curatorBps: z.int(),
      currency: z.looseObject({ token: z.string(), decimals: z.int().min(0).max(255) }),
    })
    .nullish(),
})

/** What a track costs by the index, and in which token; undefined for one that is free.
 * @param options.told what the index has said of it already, so that it is not asked again
 * @throws ApiError when no provider answers */
export async function priceInIndex(
  connection: Pick<Connection, 'discover'>,
  track: Subject,
  { told, signal }: { told?: ToldTerms | undefined; signal?: AbortSignal | undefined } = {},
): Promise<{ readonly terms: TrackTerms; readonly token: Token } | undefined> {
  const ask = () => connection.discover(`/v1/tracks/${track}`, pricedSchema, signal ? { signal } : {})
  // Whoever was told that it is free may hold an answer of before it had a price; a price only ever changes after a week,
  // and a node that asks for more has it asked anew.
  const terms = told ?? (await ask()).terms
  if (!terms) return undefined
  const { unitPrice, nodeBps, curatorBps, currency } = terms
  return {
    terms: { unitPrice: BigInt(unitPrice), nodeBps, curatorBps },
    token: tokenOf(currency),
  }
}

/** Terms as the index has them, also those that came with a track: for listeners who ask no node of the chain. */
export function termsFromIndex(connection: Pick<Connection, 'discover'>): TermsReader {
  return async (track, options) => (await priceInIndex(connection, track, options))?.terms
}

/** Terms as they are in force on the chain. */
export function termsFromChain(reader: Pick<EscrowReader, 'termsOf'>): TermsReader {
  return async (track, { signal } = {}) => (await reader.termsOf(track, signal))?.terms
}
