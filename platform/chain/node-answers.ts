import { RpcError, type RpcRequest, RpcUnavailable } from './rpc.ts'

/** Providers share no codes for their errors, so that their words have to tell them apart. */
const slower = /\brate|too many requests|per second|capacity|daily/i
const lacking =
  /unknown block|(header|block) not found|missing trie node|pruned|not available|unavailable|syncing/i
const troubled = /internal( server)? error|temporar|overload|busy|timed? ?out|bad gateway|try again/i

/** Whether a smaller range may succeed. */
export function asksForLess(error: unknown): boolean {
  if (error instanceof RpcUnavailable) return error.tooMuch
  return error instanceof RpcError && !slower.test(error.message)
}

/** Whether another node may do better: this one is away, in trouble, or lacks what it is asked for. A contract that
 * refuses, a transaction that is known already or a range that is too long are the same everywhere. */
export function mayDifferElsewhere(error: unknown): boolean {
  if (error instanceof RpcUnavailable) return true
  if (!(error instanceof RpcError) || /revert/i.test(error.message)) return false
  return [slower, lacking, troubled].some((words) => words.test(error.message))
}

/** The number of the newest block, when that was asked for. */
export function headIn({ method, params }: RpcRequest, answer: unknown): number | null {
  if (method === 'eth_blockNumber') return numberIn(answer)
  if (method !== 'eth_getBlockByNumber' || params[0] !== 'latest') return null
  return typeof answer === 'object' && answer !== null && 'number' in answer ? numberIn(answer.number) : null
}

/** Whether the node does not have what another one has shown, whose newest block was `newest`. */
export function isBehind(request: RpcRequest, answer: unknown, newest: number): boolean {
  const head = headIn(request, answer)
  if (head !== null) return head < newest
  if (answer !== null) return false
  const { method, params } = request
  return method === 'eth_getBlockByHash' || (method === 'eth_getBlockByNumber' && Number(params[0]) <= newest)
}

function numberIn(answer: unknown): number | null {
  const number = typeof answer === 'string' ? Number(answer) : Number.NaN
  return Number.isSafeInteger(number) ? number : null
}
