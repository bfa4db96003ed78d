import { rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { type Bench, type BenchResult, benches, describeLimit, holds } from './benches/index.ts'
import { prepareMachine, SetupError } from './setup/index.ts'
import { makeTemporaryFolder } from './testing/temporary-folder.ts'

const state = fileURLToPath(new URL('../.hexachord', import.meta.url))
const defaultRounds = 5
const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
process.once('SIGTERM', () => interrupted.abort(new Error('terminated')))

process.exitCode = await main(process.argv)

type Options = { json?: boolean; small?: boolean; rounds?: number }

async function main(args: string[]): Promise<number> {
  const program = new Command('scripts/bench')
    .description(
      'Measures a figure of this network beside what it is compared with; without a name, lists all.',
    )
    .argument('[name]', benches.map(({ name }) => name).join(', '))
    .option('--json', 'print nothing but the last line, the JSON, on stdout, and all else on stderr')
    .option('--small', 'tiny inputs and one round: only to see that it runs')
    .option('--rounds <number>', `pairs to measure (default: ${defaultRounds})`, countOf)
    .exitOverride()
  try {
    program.parse(args)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
  const [name] = program.args
  if (name === undefined) {
    console.log(benches.map(lineOf).join('\n'))
    return 0
  }
  const bench = benches.find((one) => one.name === name)
  if (bench === undefined) {
    console.error(`there is no bench '${name}'; there are ${benches.map((one) => one.name).join(', ')}`)
    return 2
  }
  try {
    await measure(bench, program.opts<Options>())
    return 0
  } catch (error) {
    if (interrupted.signal.aborted) return 130
    console.error(error instanceof SetupError ? error.message : error)
    return error instanceof SetupError ? 2 : 1
  }
}

async function measure(bench: Bench, { json = false, small = false, rounds }: Options): Promise<void> {
  const { signal } = interrupted
  const report = json ? console.error : console.log
  await prepareMachine({ state, programs: [...(bench.programs ?? [])], report, signal })
  const folder = await makeTemporaryFolder()
  const taken = rounds ?? (small ? 1 : defaultRounds)
  try {
    const result = await bench.run({ rounds: taken, small, folder: folder.path, signal, report })
    conclude(bench, result, report)
    console.log(JSON.stringify({ bench: bench.name, ...result, rounds: taken, machine: machine() }))
  } finally {
    await rm(path.resolve(folder.path), { recursive: true, force: true })
  }
}

function conclude({ name, limit }: Bench, result: BenchResult, report: (line: string) => void): void {
  for (const [key, value] of Object.entries(result)) report(`  ${key.padEnd(36)} ${value}`)
  const verdict = holds(limit, result.ratio) ? 'held' : 'MISSED'
  report(`${name}: ${result.ratio}, limit ${describeLimit(limit)}: ${verdict}`)
}

function lineOf({ name, summary, limit }: Bench): string {
  return `${name.padEnd(10)} ${describeLimit(limit).padEnd(14)} ${summary}`
}

function countOf(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 1000) {
    throw new InvalidArgumentError('it is a number from 1 to 1000')
  }
  return count
}

/** Figures mean little without it. */
function machine(): string {
  const processors = cpus()
  return `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}, Node ${process.version.slice(1)}`
}
