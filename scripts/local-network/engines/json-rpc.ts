/** An error that the chain node answered. */
export class JsonRpcError extends Error {
  override name = 'JsonRpcError'
}

const timeoutMs = 30_000

/**
 * Asks a chain node. Throws JsonRpcError for an error in its answer, and what fetch throws when it cannot
 * be reached or does not answer within 30 s.
 */
export async function callRpc(
  url: string,
  method: string,
  params: unknown[],
  signal?: AbortSignal,
): Promise<unknown> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
  })
  const answer: unknown = await response.json()
  if (typeof answer !== 'object' || answer === null)
    throw new JsonRpcError(`${method}: the answer is not an object`)
  if ('error' in answer) throw new JsonRpcError(`${method}: ${JSON.stringify(answer.error)}`)
  if (!('result' in answer)) throw new JsonRpcError(`${method}: the answer has no result`)
  return answer.result
}

/** The number of the newest block. */
export async function blockNumber(url: string, signal?: AbortSignal): Promise<number> {
  return Number(await callRpc(url, 'eth_blockNumber', [], signal))
}
