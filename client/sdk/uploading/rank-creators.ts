import { type UploadTerms, uploadTermsSchema } from '@hexachord/protocol/rest'
import { ApiError, type Connection, readJson } from '../connect/index.ts'

/** One that takes longer to say how it is has no time for an upload either. */
const termsTimeoutMs = 3_000
/** More than anyone needs to choose from, and no more requests than a page may make. */
const maximumAsked = 12

/** A creator node and what it says of itself now. */
export type CreatorNode = {
  readonly origin: string
  /** Undefined when it did not answer, or said something else. */
  readonly terms: UploadTerms | undefined
  readonly latencyMs: number
  /** Why it would not take the file now; for people. */
  readonly refusal: string | undefined
}

/** Asks creator nodes how they are, and orders them by how soon they would make a track of a file: those that
 * take it with the shortest queue and the quickest answer first, then those that do not say, then those that would
 * refuse it now. None is left out: only an upload itself is told for certain. */
export async function rankCreators(
  { http }: Pick<Connection, 'http'>,
  origins: readonly string[],
  { byteLength, signal }: { byteLength: number; signal?: AbortSignal | undefined },
): Promise<CreatorNode[]> {
  const nodes = await Promise.all(
    origins.slice(0, maximumAsked).map(async (origin): Promise<CreatorNode> => {
      const startedAt = performance.now()
      const terms = await termsOf(http, origin, signal)
      const latencyMs = performance.now() - startedAt
      return { origin, terms, latencyMs, refusal: terms && refusalOf(terms, byteLength) }
    }),
  )
  return [...nodes.sort(compare), ...origins.slice(maximumAsked).map(unasked)]
}

async function termsOf(
  http: Connection['http'],
  origin: string,
  signal: AbortSignal | undefined,
): Promise<UploadTerms | undefined> {
  try {
    const init = { timeoutMs: termsTimeoutMs, ...(signal ? { signal } : {}) }
    return await readJson(http, `${origin}/uploads`, uploadTermsSchema, init)
  } catch (error) {
    if (error instanceof ApiError) return undefined
    throw error
  }
}

function refusalOf(terms: UploadTerms, byteLength: number): string | undefined {
  const { maximumBytes, roomBytes, today, publishers } = terms
  if (!terms.acceptsUploads) return terms.reason ?? 'takes no uploads now'
  if (byteLength > maximumBytes) return `takes files up to ${maximumBytes} bytes`
  if (byteLength > roomBytes) return `has room for ${roomBytes} bytes`
  if (byteLength > today.bytes.left) return `takes ${today.bytes.left} bytes more today`
  // Who has been invited or listed is told to nobody else: it may be us.
  if (publishers !== 'open') return `takes the music of those it knows (${publishers})`
  return undefined
}

/** Sorting is stable: what is equal stays in the order in which it was named. */
function compare(one: CreatorNode, other: CreatorNode): number {
  const difference = classOf(one) - classOf(other)
  if (difference !== 0 || !one.terms || !other.terms || one.refusal !== undefined) return difference
  return workOf(one.terms) - workOf(other.terms) || quicknessOf(one) - quicknessOf(other)
}

function classOf({ terms, refusal }: CreatorNode): number {
  if (terms === undefined) return 1
  return refusal === undefined ? 0 : 2
}

function workOf({ queued, processing }: UploadTerms): number {
  return queued + processing
}

/** By doubling of the time: a millisecond more or less decides nothing. */
function quicknessOf({ latencyMs }: CreatorNode): number {
  return Math.round(Math.log2(Math.max(1, latencyMs / 25)))
}

function unasked(origin: string): CreatorNode {
  return { origin, terms: undefined, latencyMs: Number.POSITIVE_INFINITY, refusal: undefined }
}
