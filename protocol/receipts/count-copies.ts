import * as z from 'zod'
import { parsed } from '../checked/index.ts'
import type { Address, Subject } from '../names/index.ts'
import type { Domain } from '../signing/index.ts'
import { type Receipt, receiptSchema, receiptSigner } from './receipts.ts'

/** An operator as far as counting needs it: its entry in the registry. */
export type CountedOperator = {
  readonly operator: Address
  /** Origin of its gateway. */
  readonly endpoint: string
  readonly hotKey: Address
}

/** What one operator says of a track when it is asked. */
export type CountedCopy = {
  readonly operator: Address
  /** `held`: it answers with a receipt in force. `none`: it answers, but with no such receipt. `away`: it does not
   * answer. */
  readonly state: 'held' | 'none' | 'away'
  readonly receipt?: Receipt
  /** Why it does not count. */
  readonly reason?: string
}

const answerMs = 10_000
/** Receipts of one manifest, for every name that it has; a receipt takes half a kilobyte. */
const answerBytes = 256 * 1024
const answerSchema = z.object({ items: z.array(receiptSchema) })

/**
 * Counts the live copies of a track: asks each operator for its receipts (`/manifests/:cid/receipts`) and checks each
 * signature against the registry. Anybody can do this; nobody has to be believed.
 * @param options.fetch whatever fetches; endpoints are what operators have registered, so guard it on a server
 * @param options.nowMs ms since 1970; receipts past their time do not count
 */
export async function countCopies(options: {
  subject: Subject
  manifest: string
  operators: readonly CountedOperator[]
  domain: Domain
  fetch: (url: string, init: RequestInit) => Promise<Response>
  nowMs: number
  signal?: AbortSignal
}): Promise<{ copies: number; operators: CountedCopy[] }> {
  const operators = await Promise.all(options.operators.map((operator) => ask(operator, options)))
  return { copies: operators.filter(({ state }) => state === 'held').length, operators }
}

async function ask(
  { operator, endpoint, hotKey }: CountedOperator,
  options: Parameters<typeof countCopies>[0],
): Promise<CountedCopy> {
  const { subject, manifest, domain, fetch, nowMs } = options
  const timeout = AbortSignal.timeout(answerMs)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
  try {
    const url = new URL(`/manifests/${manifest}/receipts`, endpoint).href
    const response = await fetch(url, { signal })
    const text = await response.text()
    if (!response.ok) return { operator, state: 'away', reason: `it answers ${response.status}` }
    if (text.length > answerBytes) return { operator, state: 'away', reason: 'its answer is too long' }
    const { items } = parsed(answerSchema, JSON.parse(text))
    const receipt = items.find((item) => item.operator === operator && item.subject === subject)
    if (receipt === undefined) return { operator, state: 'none', reason: 'it has no receipt' }
    const reason = faultOf(receipt, { manifest, hotKey, domain, nowMs })
    return reason === undefined ? { operator, state: 'held', receipt } : { operator, state: 'none', reason }
  } catch (error) {
    options.signal?.throwIfAborted()
    return { operator, state: 'away', reason: error instanceof Error ? error.message : String(error) }
  }
}

function faultOf(
  receipt: Receipt,
  { manifest, hotKey, domain, nowMs }: { manifest: string; hotKey: Address; domain: Domain; nowMs: number },
): string | undefined {
  if (receipt.manifest !== manifest) return 'its receipt is about another manifest'
  if (receipt.validUntil * 1000 <= nowMs) return 'its receipt has ended'
  return receiptSigner(receipt, domain) === hotKey
    ? undefined
    : 'its receipt was not signed by its registered key'
}
