/** A place that may hold blocks. What it gives is never believed, only checked. */
export type Source = {
  /** Tells sources apart in standings and reports: an origin, an operator's address. */
  readonly id: string
  /** Sources of a lower tier are asked first, whatever their latency: holders 0, last resorts 1, … @default 0 */
  readonly tier?: number
} & (
  | { readonly url: (cid: string) => string }
  | { readonly get: (cid: string, signal: AbortSignal) => Promise<Uint8Array> }
)

/**
 * What went wrong with a source:
 * - `lied`: it gave bytes that are not the block; it is not asked again by this retriever
 * - `missing`: it says that it does not have the block; it may have others
 * - `unpaid`: it wants to be paid for it first (HTTP 402)
 * - `refused`: it answered with another error
 * - `timed-out`: it was too slow
 * - `unreachable`: no answer, or the connection broke
 */
export type FaultKind = 'lied' | 'missing' | 'unpaid' | 'refused' | 'timed-out' | 'unreachable'

export type Fault = {
  readonly source: string
  readonly cid: string
  readonly kind: FaultKind
  readonly message: string
}

/** No source gave the block. `faults` says of each source why. */
export class RetrievalFailed extends Error {
  override readonly name = 'RetrievalFailed'
  readonly cid: string
  readonly faults: readonly Fault[]

  constructor(cid: string, faults: readonly Fault[]) {
    const reasons = faults.map(({ source, kind, message }) => `${source} ${kind}: ${message}`)
    super(`no source gave ${cid} (${reasons.join('; ') || 'there is none to ask'})`)
    this.cid = cid
    this.faults = faults
  }
}
