import { createLogger } from '../../process/index.ts'
import { type ChainEvent, type FollowOptions, followChain } from '../index.ts'
import type { EventIndex } from './index-of-events.ts'
import type { SimulatedChain } from './simulated-chain.ts'

export const finalityBlocks = 8
export const logger = createLogger({ service: 'test', level: 'silent' })

/** Follows until the index holds what the chain holds, or `until` says so. */
export async function follow(
  chain: SimulatedChain,
  index: EventIndex,
  options: Partial<FollowOptions> & { until?: () => boolean; onEvent?: (event: ChainEvent) => void } = {},
): Promise<void> {
  const controller = new AbortController()
  const { until = () => settled(chain, index), onEvent, ...rest } = options
  const events = followChain({
    reader: chain.reader,
    addresses: [],
    startBlock: 1,
    finalityBlocks,
    known: index.known,
    logger,
    pollMs: 1,
    signal: controller.signal,
    ...rest,
  })
  const deadline = setTimeout(() => controller.abort(), 4_000)
  try {
    for await (const event of events) {
      index.apply(event)
      onEvent?.(event)
      if (until()) return
    }
    throw new Error(`the follower did not get there; it reached ${index.reached()} of ${chain.head()}`)
  } finally {
    clearTimeout(deadline)
  }
}

/** A follower in the background. */
export function startFollowing(chain: SimulatedChain, index: EventIndex) {
  const controller = new AbortController()
  const options = { reader: chain.reader, addresses: [], startBlock: 1, finalityBlocks, known: index.known }
  const events = followChain({ ...options, logger, pollMs: 0, signal: controller.signal })
  const ended = (async () => {
    for await (const event of events) index.apply(event)
  })()
  return {
    async settled() {
      const deadline = Date.now() + 2_000
      while (!settled(chain, index)) {
        if (Date.now() > deadline) throw new Error(`it reached ${index.reached()} of ${chain.head()}`)
        await Promise.race([new Promise((resolve) => setImmediate(resolve)), ended])
      }
    },
    async stop() {
      controller.abort()
      await ended
    },
  }
}

export function settled(chain: SimulatedChain, index: EventIndex): boolean {
  return index.reached() === chain.head() && JSON.stringify(index.logs()) === JSON.stringify(chain.logs(1))
}

export function grow(chain: SimulatedChain, blocks: number, logs = 1): void {
  for (let count = 0; count < blocks; count += 1) chain.grow(logs)
}
