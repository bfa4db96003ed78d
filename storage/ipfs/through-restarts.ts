import { setTimeout as delay } from 'node:timers/promises'
import { KuboUnavailable } from './kubo/rpc-failure.ts'

const againAfterMs = 1_000

/**
 * Does work that may be done again from its beginning, and does it again while the daemon behind an IPFS node is away:
 * a restart of it is no failure of the work. Ends with anything else that goes wrong, and with `signal`.
 */
export async function throughRestarts<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof KuboUnavailable)) throw error
    }
    await delay(againAfterMs, undefined, { signal })
  }
}
