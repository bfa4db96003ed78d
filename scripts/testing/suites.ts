import path from 'node:path'
import { startPostgres, startRedis } from '../local-network/engines/index.ts'
import {
  chromium,
  ffmpeg,
  ffprobe,
  ip,
  libsecp256k1,
  nft,
  nginx,
  type Program,
  redisServer,
  wrk,
} from '../setup/index.ts'
import { type Counts, countsOfHardhat } from './counts.ts'
import { freePort } from './free-port.ts'
import { runJest } from './jest-run.ts'
import { endOf, runCommand } from './run-command.ts'
import { startSuiteNetwork } from './suite-network.ts'
import { mostWorkers } from './worker-number.ts'

/** What a suite is given. */
export type SuiteContext = {
  /** The checkout. */
  root: string
  /** Only tests whose path matches. */
  pattern: string | undefined
  /** For its temporary files; it is gone afterwards, apart from the logs in it when the suite has failed. */
  folder: string
  /** The whole environment of what it starts. */
  environment: Record<string, string>
  timeoutMs: number
  signal: AbortSignal
  report(line: string): void
  /** Says once more at the end of the run what failed, and why. */
  failed(what: string): void
}

export type Suite = {
  name: string
  /** Printed beside the time it took. At three times this it is ended: shared machines are slow at times. */
  budgetMinutes: number
  /** What it needs on the PATH. */
  programs: Program[]
  run(context: SuiteContext): Promise<Counts>
}

const elsewhere = ['network', 'browser', 'faults', 'peers']
const media = [ffmpeg, ffprobe]
/** For faults of links, which are tested only where we may make namespaces. */
const namespaceTools = process.platform === 'linux' && process.getuid?.() === 0 ? [ip, nft] : []

const check: Suite = {
  name: 'check',
  budgetMinutes: 3,
  programs: [],
  async run(context) {
    // Biome colours its output even where that is no terminal.
    const colours = `--colors=${process.stdout.isTTY ? 'force' : 'off'}`
    const ended = await Promise.all([
      runTool(context, '@biomejs/biome/bin/biome', 'ci', colours),
      runTool(context, 'typescript/bin/tsc', '-p', '.'),
    ])
    const passed = ended.filter(({ code }) => code === 0).length
    return { passed, failed: ended.length - passed, skipped: 0 }
  },
}

const unit: Suite = {
  name: 'unit',
  budgetMinutes: 5,
  programs: [...media, ...libsecp256k1],
  run: (context) =>
    runJest(
      {
        testMatch: ['<rootDir>/**/*.test.ts'],
        ignore: ['\\.parts\\.test\\.ts$', ...elsewhere.map((folder) => `<rootDir>/test/${folder}/`)],
        workers: mostWorkers,
        testTimeoutMs: 10_000,
      },
      context,
    ),
}

const contracts: Suite = {
  name: 'contracts',
  budgetMinutes: 4,
  programs: [],
  async run(context) {
    const { code, output } = await runCommand({
      ...context,
      command: 'npm',
      args: ['test', '--workspace', 'contracts'],
      cwd: context.root,
    })
    if (code !== 0) context.failed(endOf(output))
    const counts = countsOfHardhat(output)
    return code === 0 || counts.failed > 0 ? counts : { ...counts, failed: 1 }
  },
}

const parts: Suite = {
  name: 'parts',
  budgetMinutes: 13,
  programs: [...media, redisServer],
  run: withDatabases((context) =>
    runJest(
      { testMatch: ['<rootDir>/**/*.parts.test.ts'], workers: mostWorkers, testTimeoutMs: 60_000 },
      context,
    ),
  ),
}

const bench: Suite = {
  name: 'bench',
  budgetMinutes: 4,
  programs: [...media, redisServer, chromium, nginx, wrk, ...libsecp256k1],
  async run(context) {
    // Benches hold half of the product: the other suites do not wait until it is loaded.
    const { runBenches } = await import('./bench-suite.ts')
    return runBenches(context)
  },
}

/** A suite of the files in one folder of test/. */
function folderSuite(name: string, budgetMinutes: number, programs: Program[], workers: number): Suite {
  return {
    name,
    budgetMinutes,
    programs: [...media, redisServer, ...programs],
    run: (context) =>
      runJest(
        { testMatch: [`<rootDir>/test/${name}/**/*.test.ts`], workers, testTimeoutMs: 120_000 },
        context,
      ),
  }
}

/** The order: what is quick and tells most comes first. Together they stay under 40 minutes. */
export const suites: Suite[] = [
  check,
  unit,
  contracts,
  parts,
  withNetwork(folderSuite('network', 7, [], 1)),
  withNetwork(folderSuite('browser', 4, [chromium], 1)),
  folderSuite('faults', 10, namespaceTools, 2),
  // With an empty cache Kubo is built first, which takes 5 minutes of two cores.
  withNetwork(folderSuite('peers', 9, [], 1)),
  bench,
]

/** One Postgres and one Redis for all files, by DATABASE_URL and REDIS_URL. */
function withDatabases(run: Suite['run']): Suite['run'] {
  return async (context) => {
    const { folder, signal } = context
    const postgres = await startPostgres({
      directory: path.join(folder, 'postgres'),
      port: await freePort(),
      signal,
      // Nobody will miss this data after a power cut.
      settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
    })
    try {
      const redis = await startRedis({
        directory: path.join(folder, 'redis'),
        port: await freePort(),
        signal,
      })
      try {
        const environment = { ...context.environment, DATABASE_URL: postgres.url, REDIS_URL: redis.url }
        return await run({ ...context, environment })
      } finally {
        await redis.close()
      }
    } finally {
      await postgres.close()
    }
  }
}

/** One network for all files; see `testNetwork`. A process of it that crashed counts as a failure. */
function withNetwork(suite: Suite): Suite {
  return {
    ...suite,
    async run(context) {
      const network = await startSuiteNetwork(context)
      try {
        const counts = await suite.run({
          ...context,
          environment: { ...context.environment, ...network.environment },
        })
        const crashes = network.crashes()
        for (const { name, lastWords } of crashes) context.failed(`${name} ended by itself:\n${lastWords}`)
        return { ...counts, failed: counts.failed + crashes.length }
      } finally {
        await network.stop()
      }
    },
  }
}

async function runTool(context: SuiteContext, tool: string, ...args: string[]) {
  const script = path.join(context.root, 'node_modules', tool)
  const command = process.execPath
  const ended = await runCommand({ ...context, command, args: [script, ...args], cwd: context.root })
  if (ended.code !== 0) context.failed(endOf(ended.output))
  return ended
}
