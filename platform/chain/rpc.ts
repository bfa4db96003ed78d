import { StringDecoder } from 'node:string_decoder'
import { createGuardedFetch, FetchFailed, FetchTimeout, FetchTooLarge } from '../http/index.ts'

/** The node answered a request with an error. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  /** What the node adds, such as the return data of a reverted call. */
  readonly data: unknown

  constructor(method: string, error: { code: number; message: string; data?: unknown }) {
    super(`${method}: ${error.message} (${error.code})`)
    this.code = error.code
    this.data = error.data
  }
}

/** The node did not answer, or not with JSON-RPC. */
export class RpcUnavailable extends Error {
  override readonly name = 'RpcUnavailable'
  /** True when asking for less may help: the answer took too long or was too large. */
  readonly tooMuch: boolean

  constructor(message: string, options: { tooMuch?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.tooMuch = options.tooMuch ?? false
  }
}

export type RpcRequest = { method: string; params: readonly unknown[] }

/** A JSON-RPC 2.0 client over HTTP. */
export type Rpc = {
  /** @throws RpcError, RpcUnavailable */
  call(method: string, params: readonly unknown[]): Promise<unknown>
  /** Results in the order of the requests; the first error is thrown. */
  batch(requests: readonly RpcRequest[]): Promise<unknown[]>
  close(): Promise<void>
}

/** 500 headers in batches of this size come in well under 100 ms; providers commonly allow 100. */
const batchSize = 50

/** Far above the caps of providers; only a node of one's own could send more. */
const answerLimitBytes = 256 * 1024 * 1024
/** Of logs of several blocks, which can be asked for in smaller ranges: some five thousand. It bounds our memory. */
const rangeLimitBytes = 8 * 1024 * 1024

const socketsPerNode = 8

/** @param options.timeoutMs per HTTP request */
export function createRpc(options: {
  url: string
  timeoutMs: number
  signal?: AbortSignal | undefined
}): Rpc {
  // The operator chose this address, so a private one is as good as any.
  const fetch = createGuardedFetch({
    allowPrivateAddresses: true,
    timeoutMs: options.timeoutMs,
    maxBytes: answerLimitBytes,
    socketsPerOrigin: socketsPerNode,
  })
  const { target, authorization } = targetOf(options.url)
  const shown = target.origin
  let nextId = 1
  /** Whether the node turned out to know no batches. */
  let singly = false

  async function post(body: RpcRequest | readonly RpcRequest[]): Promise<unknown> {
    try {
      const response = await fetch(target, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...authorization },
        body: JSON.stringify(body),
        ...([body].flat().some(isRangeOfLogs) ? { maxBytes: rangeLimitBytes } : {}),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      })
      const text = await textOf(response)
      if (!response.ok && !text.startsWith('{') && !text.startsWith('[')) {
        throw new RpcUnavailable(`${shown} answered ${response.status}`, { tooMuch: response.status === 413 })
      }
      return parseJson(text, shown)
    } catch (error) {
      if (!(error instanceof FetchFailed)) throw error
      const tooMuch = error instanceof FetchTimeout || error instanceof FetchTooLarge
      throw new RpcUnavailable(`${shown} cannot be reached: ${error.message}`, { tooMuch, cause: error })
    }
  }

  function numbered(request: RpcRequest) {
    const id = nextId
    nextId += 1
    return { jsonrpc: '2.0', id, ...request }
  }

  async function call(method: string, params: readonly unknown[]): Promise<unknown> {
    return resultOf(method, await post(numbered({ method, params })), shown)
  }

  /** The bound on sockets is also the bound on how many are asked at the same time. */
  function callSingly(requests: readonly RpcRequest[]): Promise<unknown[]> {
    return Promise.all(requests.map(({ method, params }) => call(method, params)))
  }

  async function batchOnce(requests: readonly RpcRequest[]): Promise<unknown[]> {
    const [only] = requests
    if (only === undefined) return []
    if (singly || requests.length === 1) return callSingly(requests)
    const sent = requests.map(numbered)
    const answers = await post(sent)
    if (!Array.isArray(answers)) {
      if (!refusesBatches(answers)) resultOf(only.method, answers, shown)
      singly = true
      return callSingly(requests)
    }
    const byId = new Map(answers.map((answer) => [idOf(answer), answer]))
    return sent.map(({ id, method }) => resultOf(method, byId.get(id), shown))
  }

  return {
    call,
    async batch(requests) {
      const results: unknown[] = []
      for (let start = 0; start < requests.length; start += batchSize) {
        results.push(...(await batchOnce(requests.slice(start, start + batchSize))))
      }
      return results
    },
    close: () => fetch.close(),
  }
}

function isRangeOfLogs({ method, params }: RpcRequest): boolean {
  const [filter] = params
  if (method !== 'eth_getLogs' || typeof filter !== 'object' || filter === null) return false
  return 'fromBlock' in filter && 'toBlock' in filter && filter.fromBlock !== filter.toBlock
}

/** One error for a whole batch can mean that batches are not served, or a passing trouble that singles would share. */
function refusesBatches(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return true
  const text = JSON.stringify(answer.error)
  return /batch|-32600|-32601/i.test(text)
}

/** Providers put keys into the path, some into user and password, which a request URL must not hold. */
function targetOf(text: string): { target: URL; authorization: Record<string, string> } {
  const target = new URL(text)
  const { username, password } = target
  target.username = ''
  target.password = ''
  if (username === '' && password === '') return { target, authorization: {} }
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { target, authorization: { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } }
}

/** As `response.text()`, which joins bytes before it reads them: those of long answers lie outside of the heap until old
 * objects are looked at, and make that necessary several times as often. */
async function textOf({ body }: Response): Promise<string> {
  const decoder = new StringDecoder('utf8')
  let text = ''
  for await (const chunk of body ?? [])
    text += decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
  return text + decoder.end()
}

function parseJson(text: string, shown: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new RpcUnavailable(`${shown} did not answer with JSON`, { cause })
  }
}

function idOf(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null && 'id' in answer ? answer.id : undefined
}

function resultOf(method: string, answer: unknown, shown: string): unknown {
  if (typeof answer !== 'object' || answer === null)
    throw new RpcUnavailable(`${shown} left ${method} unanswered`)
  if ('error' in answer && typeof answer.error === 'object' && answer.error !== null) {
    const { error } = answer
    throw new RpcError(method, {
      code: 'code' in error && typeof error.code === 'number' ? error.code : 0,
      message: 'message' in error ? String(error.message) : 'error without a message',
      ...('data' in error ? { data: error.data } : {}),
    })
  }
  if (!('result' in answer))
    throw new RpcUnavailable(`${shown} answered ${method} with neither result nor error`)
  return answer.result
}
