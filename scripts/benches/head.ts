import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../testing/free-port.ts'
import { median, rounded } from './alternate.ts'
import type { Bench } from './bench.ts'
import { type BenchChain, buildChain } from './indexing/chain.ts'
import { startDatabase } from './indexing/database.ts'
import { startOurs } from './indexing/our-indexer.ts'
import { quantile } from './reads/searching.ts'

/** As often as blocks come on the local network. */
const blockMs = 1_000
/** By these the provider learns how often blocks come. */
const firstBlocks = 25
const readEveryMs = 2
const caughtUpWithinMs = 120_000

/**
 * How long after a block has come what stands in it is read from the API: of each block the last of a hundred signed
 * actions, each in a transaction of its own. The chain is long already, and what comes can still be undone.
 */
export const head: Bench = {
  name: 'head',
  summary: 'block to readable at the API, the 99th percentile, over the time between blocks',
  limit: { atMost: 1 },
  async run({ folder, rounds, small, signal, report }) {
    const database = await startDatabase(folder, signal)
    const directory = path.join(folder, 'chain')
    const chain = await buildChain({
      ...{ folder: directory, layout: 'single', signal },
      actions: small ? 400 : 10_000,
    })
    const port = await freePort()
    const databaseUrl = await database.makeAnew('ours')
    const { child } = await startOurs({ folder, chain, databaseUrl, port })
    const origin = `http://127.0.0.1:${port}`
    try {
      await untilReadable(`${origin}/v1/actions/${await nextBlock(chain)}`, caughtUpWithinMs, signal)
      const took: number[] = []
      const blocks = small ? 5 : 60 * rounds
      for (let block = 0; block < (small ? 0 : firstBlocks) + blocks; block++) {
        const dueMs = performance.now() + blockMs
        const digest = await chain.sendMore()
        await wait(Math.max(0, dueMs - performance.now()), undefined, { signal })
        await chain.mine()
        const minedMs = performance.now()
        await untilReadable(`${origin}/v1/actions/${digest}`, caughtUpWithinMs, signal)
        if (block >= (small ? 0 : firstBlocks)) took.push(performance.now() - minedMs)
      }
      const p99Ms = quantile(took, 0.99)
      report(`${took.length} blocks: ${rounded(median(took))} ms in the middle, ${rounded(p99Ms)} ms at p99`)
      return {
        ratio: rounded(p99Ms / blockMs),
        ...{ p50Ms: rounded(median(took)), p99Ms: rounded(p99Ms), mostMs: rounded(Math.max(...took)) },
        ...{ blockMs, blocks: took.length },
      }
    } finally {
      await child.stop()
      await chain.close()
      await database.close()
    }
  },
}

async function nextBlock(chain: BenchChain): Promise<string> {
  const digest = await chain.sendMore()
  await chain.mine()
  return digest
}

async function untilReadable(url: string, withinMs: number, signal: AbortSignal): Promise<void> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(withinMs)])
  for (;;) {
    const response = await fetch(url, { signal: bounded }).catch((error: unknown) => {
      // Before the provider listens nobody answers.
      bounded.throwIfAborted()
      return error instanceof TypeError ? undefined : Promise.reject(error)
    })
    if (response?.ok === true) {
      const { status } = (await response.json()) as { status?: string }
      if (status !== 'applied') throw new Error(`${url} says ${status}`)
      return
    }
    await response?.body?.cancel()
    await wait(readEveryMs, undefined, { signal: bounded })
  }
}
