import type { Metrics } from '../process/index.ts'
import type { RpcRequest } from './rpc.ts'

/** How a request went: answered; an error of the node; no answer; or an answer from behind what another node showed. */
export type RpcOutcome = 'answered' | 'error' | 'unavailable' | 'behind'

/** What an operator learns of each node that is asked. */
export type RpcMetrics = {
  asked(endpoint: string, requests: readonly RpcRequest[], outcome: RpcOutcome, seconds: number): void
}

/** @param isWell per name of an endpoint, whether requests go there now */
export function createRpcMetrics(
  metrics: Metrics,
  endpoints: readonly string[],
  isWell: (endpoint: string) => boolean,
): RpcMetrics {
  const seconds = metrics.histogram<'endpoint' | 'method' | 'outcome'>({
    name: 'rpc_request_seconds',
    help: 'Requests to the nodes of the chain; a batch counts once, under all its methods',
    labelNames: ['endpoint', 'method', 'outcome'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
  })
  metrics.gauge<'endpoint'>({
    name: 'rpc_endpoint_well',
    help: 'Whether a node of the chain may be asked (1), or rests after a failure or has not been tried (0)',
    labelNames: ['endpoint'],
    collect() {
      for (const endpoint of endpoints) this.set({ endpoint }, isWell(endpoint) ? 1 : 0)
    },
  })
  return {
    asked(endpoint, requests, outcome, took) {
      const method = [...new Set(requests.map(({ method }) => method))].join('+')
      seconds.observe({ endpoint, method, outcome }, took)
    },
  }
}
