import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { describeFinding, fuzz, loadTargets, type TargetReport } from './fuzzing/index.ts'
import { makeTemporaryFolder } from './testing/temporary-folder.ts'

const findings = fileURLToPath(new URL('../.hexachord/fuzzing', import.meta.url))
const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
process.once('SIGTERM', () => interrupted.abort(new Error('terminated')))

process.exitCode = await main(process.argv)

type Options = { seconds?: number; seed?: number; case?: number; list?: boolean }

async function main(args: string[]): Promise<number> {
  const program = new Command('scripts/fuzz')
    .description(
      'Feeds parsers with mutations of what they take; each must read or refuse it, soon and in little memory.',
    )
    .argument('[target]', 'a name of --list, or the beginning of some (default: all)')
    .option('--list', 'name the targets')
    .option('--seconds <number>', 'how long for each target (default: a short run)', numberOf)
    .option('--seed <number>', 'of the mutations (default: another one each time)', numberOf)
    .option('--case <number>', 'only this case of the seed', numberOf)
    .exitOverride()
  try {
    program.parse(args)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
  const options = program.opts<Options>()
  const wanted = program.args[0] ?? ''
  return options.list ? list(wanted) : run(wanted, options)
}

async function list(wanted: string): Promise<number> {
  const folder = await makeTemporaryFolder()
  try {
    for (const { name } of await loadTargets(wanted, folder.path)) console.log(name)
    return 0
  } finally {
    await folder.remove()
  }
}

async function run(wanted: string, { seconds, seed, case: only }: Options): Promise<number> {
  const chosen = seed ?? Math.floor(Math.random() * 2 ** 31)
  console.log(`seed ${chosen}`)
  try {
    const reports = await fuzz({
      ...{ wanted, seed: chosen, seconds, case: only, onReport: tell, signal: interrupted.signal },
    })
    if (reports.length === 0) {
      console.error(`there is no target '${wanted}': see scripts/fuzz --list`)
      return 2
    }
    const found = reports.flatMap(({ finding }) => finding ?? [])
    await mkdir(findings, { recursive: true })
    for (const finding of found) console.error(`\n${await describeFinding(finding, findings)}`)
    return found.length === 0 ? 0 : 1
  } catch (error) {
    if (interrupted.signal.aborted) return 130
    throw error
  }
}

function tell({ target, cases, accepted, finding }: TargetReport): void {
  const verdict = finding === undefined ? 'ok' : 'FAILED'
  console.log(`${verdict.padEnd(7)} ${target.padEnd(34)} ${cases} cases, ${accepted} accepted`)
}

function numberOf(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError('it is a whole number')
  return number
}
