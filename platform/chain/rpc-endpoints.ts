import type { Logger, Metrics } from '../process/index.ts'
import { createEndpointRest, type EndpointRest } from './endpoint-rest.ts'
import { asksForLess, headIn, isBehind, mayDifferElsewhere } from './node-answers.ts'
import { createRpc, type Rpc, RpcError, type RpcRequest, RpcUnavailable } from './rpc.ts'
import { createRpcMetrics, type RpcOutcome } from './rpc-metrics.ts'

/** Several nodes of one chain, asked as if they were one. */
export type RpcEndpoints = Rpc & {
  /** What the nodes say of a block; those that have another one at its height, or none, rest. */
  fateOf(block: { number: number; hash: string }): Promise<BlockFate>
}

/** `kept`: a node has the block. `replaced`: each of them has another one at its height. `unknown`: neither, as a node lags
 * or is away that might have it. */
export type BlockFate = 'kept' | 'replaced' | 'unknown'

export type RpcEndpointsOptions = {
  /** The preferred first. */
  urls: readonly string[]
  /** Per request and node. */
  timeoutMs: number
  signal?: AbortSignal | undefined
  logger?: Logger | undefined
  /** Of a process that has no other endpoints in it. */
  metrics?: Metrics | undefined
}

type Endpoint = {
  /** Without the keys that providers put into URLs. */
  name: string
  rpc: Rpc
  rest: EndpointRest
  /** The look at it that is under way. */
  checking: Promise<Error | null> | null
}

/**
 * Asks the first node of the list that is well, so that answers fit together. A request that fails for reasons that
 * another node may not have goes to the next one at once, and the node rests; so does one that is behind what another
 * has shown. A node that is over its rest is looked at while the others answer, and then asked again. The first node
 * to answer says which chain it is: others must be on the same. With one node in the list all of it goes there.
 */
export function createRpcEndpoints(options: RpcEndpointsOptions): RpcEndpoints {
  const { timeoutMs, signal, logger } = options
  const names = namesOf(options.urls)
  const endpoints = options.urls.map(
    (url, index): Endpoint => ({
      name: names[index] ?? url,
      rpc: createRpc({ url, timeoutMs, signal }),
      rest: createEndpointRest(),
      checking: null,
    }),
  )
  const isAlone = endpoints.length === 1
  const metrics =
    options.metrics &&
    createRpcMetrics(
      options.metrics,
      names,
      (name) => isAlone || endpoints.some((endpoint) => endpoint.name === name && isWell(endpoint)),
    )
  /** The newest block that any node has shown. */
  let newest = 0
  let chainId: unknown

  const isWell = ({ rest }: Endpoint) => rest.state(performance.now()) === 'well'

  function putToRest({ name, rest }: Endpoint, err: Error): void {
    const wasResting = rest.state(performance.now()) === 'resting'
    const restMs = rest.failed(performance.now())
    if (!wasResting) logger?.warn({ endpoint: name, err, restMs }, 'a node of the chain is not asked for now')
  }

  async function send({ name, rpc }: Endpoint, requests: readonly RpcRequest[]): Promise<unknown[]> {
    const startedAt = performance.now()
    const note = (outcome: RpcOutcome) =>
      metrics?.asked(name, requests, outcome, (performance.now() - startedAt) / 1_000)
    try {
      const answers = await rpc.batch(requests)
      const behind = requests.some((request, index) => isBehind(request, answers[index], newest))
      note(behind ? 'behind' : 'answered')
      return answers
    } catch (error) {
      note(error instanceof RpcError ? 'error' : 'unavailable')
      throw error
    }
  }

  /** Why an endpoint cannot be used, or null when it can. */
  function check(endpoint: Endpoint): Promise<Error | null> {
    endpoint.checking ??= look(endpoint).finally(() => {
      endpoint.checking = null
    })
    return endpoint.checking
  }

  async function look(endpoint: Endpoint): Promise<Error | null> {
    try {
      const [id] = await send(endpoint, [{ method: 'eth_chainId', params: [] }])
      chainId ??= id
      if (id !== chainId) throw new RpcUnavailable(`${endpoint.name} is on chain ${id}, not on ${chainId}`)
      endpoint.rest.recovered(performance.now())
      logger?.info({ endpoint: endpoint.name }, 'a node of the chain can be asked')
      return null
    } catch (error) {
      // Nobody may be waiting for it when everything ends.
      if (signal?.aborted && error instanceof Error) return error
      if (!(error instanceof RpcUnavailable || error instanceof RpcError)) throw error
      putToRest(endpoint, error)
      return error
    }
  }

  /** Those that are well, as they were listed; after them, for want of better, those that rested longest. */
  function inOrder(): Endpoint[] {
    const well = endpoints.filter(isWell)
    const others = endpoints.filter((endpoint) => !well.includes(endpoint))
    const [first] = well
    for (const endpoint of first === undefined ? [] : endpoints.slice(0, endpoints.indexOf(first))) {
      if (endpoint.rest.state(performance.now()) === 'due') void check(endpoint)
    }
    return [...well, ...others.sort((left, right) => left.rest.untilMs - right.rest.untilMs)]
  }

  async function ask(requests: readonly RpcRequest[]): Promise<unknown[]> {
    const [only] = endpoints
    if (only !== undefined && isAlone) return send(only, requests)
    let failure: Error = new RpcUnavailable('there is no node of the chain to ask')
    let fallback: { endpoint: Endpoint; answers: unknown[]; head: number } | undefined
    for (const endpoint of inOrder()) {
      const trouble = isWell(endpoint) ? null : await check(endpoint)
      if (trouble !== null) {
        if (!asksForLess(failure)) failure = trouble
        continue
      }
      try {
        const answers = await send(endpoint, requests)
        const head = Math.max(...requests.map((request, index) => headIn(request, answers[index]) ?? 0))
        if (!requests.some((request, index) => isBehind(request, answers[index], newest))) {
          newest = Math.max(newest, head)
          return answers
        }
        putToRest(endpoint, new Error(`it is behind block ${newest}, or on another branch`))
        if (fallback === undefined || head > fallback.head) fallback = { endpoint, answers, head }
      } catch (error) {
        if (signal?.aborted || !(error instanceof Error) || !mayDifferElsewhere(error)) throw error
        putToRest(endpoint, error)
        // Where one of them finds it too much, asking for less is what helps.
        if (!asksForLess(failure)) failure = error
      }
    }
    if (fallback === undefined) throw failure
    // Nobody knows better: it is the chain that has become shorter, or the best there is.
    fallback.endpoint.rest.recovered(performance.now())
    if (fallback.head > 0) newest = fallback.head
    return fallback.answers
  }

  return {
    async call(method, params) {
      const [answer] = await ask([{ method, params }])
      return answer
    },
    batch: ask,
    async fateOf({ number, hash }) {
      const request = { method: 'eth_getBlockByNumber', params: [`0x${number.toString(16)}`, false] }
      const opinions = await Promise.all(
        endpoints.map(async (endpoint): Promise<BlockFate> => {
          try {
            const [block] = await send(endpoint, [request])
            const fate = fateIn(block, hash)
            if (fate !== 'kept' && !isAlone) {
              putToRest(endpoint, new Error(`it does not have block ${number} ${hash}`))
            }
            return fate
          } catch (error) {
            if (!(error instanceof RpcUnavailable || error instanceof RpcError)) throw error
            return 'unknown'
          }
        }),
      )
      if (opinions.includes('kept')) return 'kept'
      return opinions.every((opinion) => opinion === 'replaced') ? 'replaced' : 'unknown'
    },
    async close() {
      await Promise.all(endpoints.map(({ rpc }) => rpc.close()))
    },
  }
}

function fateIn(block: unknown, hash: string): BlockFate {
  if (typeof block !== 'object' || block === null || !('hash' in block)) return 'unknown'
  return block.hash === hash ? 'kept' : 'replaced'
}

/** Hosts; two at one host are told apart by their place in the list. */
function namesOf(urls: readonly string[]): string[] {
  const hosts = urls.map((url) => new URL(url).host)
  return hosts.map((host, index) =>
    hosts.indexOf(host) === hosts.lastIndexOf(host) ? host : `${host} (${index + 1})`,
  )
}
