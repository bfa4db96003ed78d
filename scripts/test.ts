import { chmod, cp, mkdtemp, readdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareMachine, SetupError } from './setup/index.ts'
import { addCounts, type Counts, formatCounts, noTests } from './testing/counts.ts'
import { endLeftovers, findLeftovers, runVariable } from './testing/leftovers.ts'
import { type Suite, suites } from './testing/suites.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const usage = `scripts/test                    all suites: ${suites.map((suite) => suite.name).join(', ')}
scripts/test SUITE [pattern]    one suite, of it only the files whose path matches the pattern`

const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
process.once('SIGTERM', () => interrupted.abort(new Error('terminated')))

process.exitCode = await main(process.argv.slice(2))

async function main([name, pattern, ...more]: string[]): Promise<number> {
  if (name === '--help' || name === '-h') {
    console.log(usage)
    return 0
  }
  const chosen = name === undefined ? suites : suites.filter((suite) => suite.name === name)
  if (chosen.length === 0 || more.length > 0) {
    console.error(usage)
    return 2
  }
  try {
    await prepareMachine({
      state: path.join(root, '.hexachord'),
      programs: [...new Set(chosen.flatMap((suite) => suite.programs))],
      report: (line) => console.log(line),
      signal: interrupted.signal,
    })
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(error.message)
    return 2
  }

  let total = noTests
  const summary: string[] = []
  const failures: string[] = []
  for (const suite of chosen) {
    const { counts, line } = await runSuite(suite, pattern, (what) => {
      console.error(`${suite.name} failed: ${what}`)
      failures.push(`${suite.name}: ${what}`)
    })
    total = addCounts(total, counts)
    summary.push(line)
    if (interrupted.signal.aborted) {
      console.error('Interrupted.')
      return 130
    }
  }
  // Last, since of a long output the end is what is kept.
  if (failures.length > 0) console.log(`\nWhat failed:\n${failures.map((what) => `- ${what}`).join('\n')}`)
  console.log(`\n${summary.join('\n')}`)
  console.log(formatCounts(total))
  return total.failed > 0 ? 1 : 0
}

/** Runs one suite in a temporary folder of its own, and sees to it that nothing is left of it. */
async function runSuite(
  suite: Suite,
  pattern: string | undefined,
  failed: (what: string) => void,
): Promise<{ counts: Counts; line: string }> {
  const { name, budgetMinutes } = suite
  console.log(`\n── ${name} (budget ${budgetMinutes} min) ──`)
  const startMs = Date.now()
  const run = `${name}-${process.pid}-${startMs}`
  const folder = await mkdtemp(path.join(await realpath(tmpdir()), `hexachord-${name}-`))
  // Postgres runs as nobody when we are root, and has to pass through.
  await chmod(folder, 0o711)
  const temporary = await mkdtemp(path.join(folder, 'tmp-'))
  await chmod(temporary, 0o711)
  // What this process itself starts for the suite is marked too.
  process.env[runVariable] = run

  let counts = noTests
  try {
    counts = await suite.run({
      root,
      pattern,
      folder,
      environment: suiteEnvironment({ TMPDIR: temporary, [runVariable]: run }),
      timeoutMs: budgetMinutes * 3 * 60_000,
      signal: interrupted.signal,
      report: (line) => console.log(`${name}: ${line}`),
      failed,
    })
  } catch (error) {
    if (!interrupted.signal.aborted) {
      console.error(error)
      failed(String(error))
      counts = { ...counts, failed: counts.failed + 1 }
    }
  }
  // Only peers may be absent where everything is said to run; a plain user cannot mount disks or make namespaces.
  if (process.env.CI === 'true' && process.getuid?.() === 0 && name !== 'peers' && counts.skipped > 0) {
    failed(`${counts.skipped} tests were skipped, which counts as failed here`)
    counts = { ...counts, failed: counts.failed + counts.skipped }
  }
  const traces = await tracesOf(run, temporary)
  for (const trace of traces) failed(`left behind: ${trace}`)
  counts = { ...counts, failed: counts.failed + traces.length }
  if (counts.failed > 0) await keepLogs(folder, path.join(root, '.hexachord/test-logs', name))
  await rm(folder, { recursive: true, force: true })
  delete process.env[runVariable]

  const seconds = Math.round((Date.now() - startMs) / 1000)
  const line = `${name.padEnd(10)} ${formatCounts(counts)} in ${seconds} s (budget ${budgetMinutes * 60} s)`
  console.log(line)
  return { counts, line }
}

/** Copies the logs of a failed suite's processes to where they can be read afterwards. */
async function keepLogs(folder: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true })
  const logs = (await readdir(folder, { recursive: true })).filter((file) => /\.log(\.1)?$/.test(file))
  for (const log of logs) await cp(path.join(folder, log), path.join(target, log), { recursive: true })
  if (logs.length > 0)
    console.error(`The logs of its processes are in ${path.relative(process.cwd(), target)}`)
}

/** What a suite should have removed: processes with their ports, and temporary files. */
async function tracesOf(run: string, temporary: string): Promise<string[]> {
  const processes = await findLeftovers(run)
  endLeftovers(processes)
  const files = await readdir(temporary)
  return [
    ...processes.map(({ pid, command, ports }) => {
      const listening = ports.length > 0 ? ` listening on ${ports.join(', ')}` : ''
      return `process ${pid}${listening}: ${command}`
    }),
    ...files.map((file) => `temporary file ${file}`),
  ]
}

/** Our environment without what would point tests at servers that are not theirs. */
function suiteEnvironment(own: Record<string, string>): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(HEXACHORD_|DATABASE_URL$|REDIS_URL$)/.test(entry[0]),
  )
  // Our own output is a pipe to the tests even where it goes to a terminal.
  const colour: Record<string, string> = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}
  // Hardhat's loader would keep a cache among the temporary files; what Node compiles is kept elsewhere.
  const noCaches = { TSX_DISABLE_CACHE: '1' }
  return { ...Object.fromEntries(inherited), ...noCaches, ...colour, ...own }
}
