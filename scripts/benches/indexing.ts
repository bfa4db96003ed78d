import path from 'node:path'
import { alternate, median, type Pair, ratiosOf, rounded } from './alternate.ts'
import type { Bench, BenchContext, BenchResult } from './bench.ts'
import { type BenchChain, buildChain, type Layout } from './indexing/chain.ts'
import { type BenchDatabase, startDatabase } from './indexing/database.ts'
import type { Run } from './indexing/indexer.ts'
import { runOurs } from './indexing/our-indexer.ts'
import { installPonder, runPonder } from './indexing/ponder.ts'

/** Of ours both are the same run: it keeps no cache. */
type Sample = { readonly cold: Run; readonly cached: Run }

type Stage = BenchContext & { readonly database: BenchDatabase; readonly directory: string }

/** Far above what a busy machine takes. */
const runWithinMs = 600_000

/**
 * The discovery provider and Ponder, each in a process of its own, on the same chain and the same Postgres. What is not
 * compared: Ponder keeps raw blocks and transactions, and runs anybody's code. We check the rules of each action with
 * the signatures of receipts, keep raw logs, verdicts, a state hash for each block and, for a fifth of the chain, what
 * an undo needs; and we serve search from the same rows.
 */
export const indexing: Bench = {
  name: 'index',
  summary: 'actions indexed per second from an empty database, over Ponder 0.17.7 with its defaults',
  limit: { atLeast: 10 },
  async run(context) {
    const { folder, small, signal, report } = context
    const { directory, installMs } = await installPonder(report, signal)
    const database = await startDatabase(folder, signal)
    try {
      const stage = { ...context, database, directory }
      const single = await compare(stage, 'single')
      const batch = small ? undefined : await compare(stage, 'batch')
      return { ...single, ...named('batch', batch), ponderInstallMs: installMs }
    } finally {
      await database.close()
    }
  },
}

async function compare(stage: Stage, layout: Layout): Promise<BenchResult> {
  const { folder, rounds, small, signal, report } = stage
  const actions = small ? 400 : 50_000
  const startedAtMs = Date.now()
  const chain = await buildChain({ folder: path.join(folder, layout), layout, actions, signal })
  report(
    `${layout}: ${actions} actions brought to the chain in ${Math.round((Date.now() - startedAtMs) / 1000)} s`,
  )
  try {
    const pairs = await alternate<Sample>({
      // Every run is a new process.
      ...{ rounds, signal, countFirst: true },
      ours: async () => {
        const run = await runOurs({ ...stage, chain, withinMs: runWithinMs })
        return { cold: run, cached: run }
      },
      theirs: () => runTwice(stage, chain),
      onPair({ ours, theirs }, round) {
        for (const { rows } of [theirs.cold, theirs.cached]) {
          if (rows !== ours.cold.rows) throw new Error(`the rows differ:\n${ours.cold.rows}\n${rows}`)
        }
        const told = [ours.cold, theirs.cold, theirs.cached].map(({ indexMs }) => perSecond(chain, indexMs))
        report(`${layout} ${round}: ${told[0]} a second, Ponder ${told[1]}, from its cache ${told[2]}`)
      },
    })
    return resultOf(chain, pairs)
  } finally {
    await chain.close()
  }
}

async function runTwice(stage: Stage, chain: BenchChain): Promise<Sample> {
  const options = { ...stage, chain, withinMs: runWithinMs }
  const cold = await runPonder({ ...options, cached: false })
  return { cold, cached: await runPonder({ ...options, cached: true }) }
}

function resultOf(chain: BenchChain, pairs: readonly Pair<Sample>[]): BenchResult {
  const over = (which: keyof Sample, of: keyof Omit<Run, 'rows'>) =>
    ratiosOf(pairs, (sample) => 1 / sample[which][of])
  const middle = (of: (pair: Pair<Sample>) => number) => Math.round(median(pairs.map(of)))
  const { median: ratio, least, most } = over('cold', 'indexMs')
  const cached = over('cached', 'indexMs')
  const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20)
  return {
    ...{ ratio, ratioLeast: least, ratioMost: most },
    ...{ ratioCached: cached.median, ratioCachedLeast: cached.least, ratioCachedMost: cached.most },
    readyRatio: over('cold', 'readyMs').median,
    ...{ cpuRatio: over('cold', 'cpuMs').median, cpuRatioCached: over('cached', 'cpuMs').median },
    actions: chain.actions,
    perSecond: middle(({ ours }) => perSecond(chain, ours.cold.indexMs)),
    ponderPerSecond: middle(({ theirs }) => perSecond(chain, theirs.cold.indexMs)),
    ponderCachedPerSecond: middle(({ theirs }) => perSecond(chain, theirs.cached.indexMs)),
    cpuMicrosecondsEach: rounded(median(pairs.map(({ ours }) => (ours.cold.cpuMs * 1000) / chain.actions))),
    peakMiB: mebibytes(Math.max(...pairs.map(({ ours }) => ours.cold.peakBytes))),
    ponderPeakMiB: mebibytes(Math.max(...pairs.map(({ theirs }) => theirs.cold.peakBytes))),
  }
}

function perSecond({ actions }: BenchChain, ms: number): number {
  return Math.round((actions * 1000) / ms)
}

/** The figures of a further layout: `batchRatio` and so on. */
function named(layout: Layout, result: BenchResult | undefined): Record<string, number | string> {
  if (result === undefined) return {}
  return Object.fromEntries(
    Object.entries(result).map(([key, value]) => [`${layout}${key[0]?.toUpperCase()}${key.slice(1)}`, value]),
  )
}
