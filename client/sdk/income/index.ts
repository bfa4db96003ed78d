import type { Address, Subject } from '@hexachord/protocol/names'
import {
  type Currency,
  type Income,
  incomeSchema,
  type OperatorIncome,
  operatorIncomeSchema,
  type TermsHistory,
  termsHistorySchema,
} from '@hexachord/protocol/rest'
import { formatUnits, ZeroAddress } from 'ethers'
import type * as z from 'zod'
import type { Connection } from '../connect/index.ts'

export type IncomeOptions = {
  /** `next` of the page before. */
  readonly cursor?: string | undefined
  /** Rows of a page, at most 100. @default 20 */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What an account earned by day and track, newest first; or, as owner of tracks, what everybody earned by them. Amounts
 * are in base units of the answer's currency. @throws ApiError; so do all in this file */
export function incomeOf(
  connection: Connection,
  account: Address,
  { as = 'account', ...options }: IncomeOptions & { as?: 'account' | 'owner' } = {},
): Promise<Income> {
  return read(connection, `users/${account}/income`, incomeSchema, options, { as })
}

/** What an operator earned by day, newest first, with the hours that were listened to. */
export function operatorIncomeOf(
  connection: Connection,
  operator: Address,
  options: IncomeOptions = {},
): Promise<OperatorIncome> {
  return read(connection, `operators/${operator}/income`, operatorIncomeSchema, options)
}

/** What a track cost and earned under each of its terms, newest first; 404 for a track that is free. */
export function termsOf(
  connection: Connection,
  track: Subject,
  options: IncomeOptions = {},
): Promise<TermsHistory> {
  return read(connection, `tracks/${track}/terms`, termsHistorySchema, options)
}

/** What this network's music is paid with; null where nothing is, or the index has read nothing of it yet. */
export async function currencyOf(
  connection: Connection,
  options: Pick<IncomeOptions, 'signal'> = {},
): Promise<Currency | null> {
  // Every account's books say it: those of nobody tell nobody who asks.
  const { currency } = await operatorIncomeOf(connection, ZeroAddress as Address, { ...options, limit: 1 })
  return currency
}

/** An amount as people write it: base units with the currency's point in them. */
export function amountText(baseUnits: string, currency: Currency | null): string {
  return formatUnits(baseUnits, currency?.decimals ?? 0)
}

function read<T>(
  connection: Connection,
  path: string,
  schema: z.ZodType<T>,
  { cursor, limit, signal }: IncomeOptions,
  also: Record<string, string> = {},
): Promise<T> {
  const query = new URLSearchParams(also)
  if (cursor !== undefined) query.set('cursor', cursor)
  if (limit !== undefined) query.set('limit', String(limit))
  return connection.discover(`/v1/${path}?${query}`, schema, signal === undefined ? {} : { signal })
}
