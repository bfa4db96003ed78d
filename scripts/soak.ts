import { execFileSync } from 'node:child_process'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, CommanderError } from 'commander'
import { preferredPorts } from './local-network/index.ts'
import { ffmpeg, ffprobe, prepareMachine, redisServer, SetupError } from './setup/index.ts'
import { soak, thisMachineInWords, writeReport } from './soaking/index.ts'
import { makeTemporaryFolder } from './testing/index.ts'
import { testPortBase } from './testing/test-ports.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
process.once('SIGTERM', () => interrupted.abort(new Error('terminated')))

process.exitCode = await main(process.argv)

async function main(args: string[]): Promise<number> {
  const program = new Command('scripts/soak')
    .description('Runs a network under constant change and judges how it stands it.')
    .option('--minutes <n>', 'how long', '60')
    .option('--report <file>', 'where the report goes', path.join(root, 'docs/soak.md'))
    .exitOverride()
  try {
    program.parse(args)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
  const { minutes, report } = program.opts<{ minutes: string; report: string }>()
  const durationMs = Number(minutes) * 60_000
  if (!(durationMs > 0)) {
    process.stderr.write(`--minutes must be a number above 0, not ${minutes}\n`)
    return 2
  }
  const { signal } = interrupted
  const say = (line: string) => process.stdout.write(`${new Date().toISOString()} ${line}\n`)
  const folder = await makeTemporaryFolder()
  try {
    await prepareMachine({
      state: path.join(root, '.hexachord'),
      programs: [ffmpeg, ffprobe, redisServer],
      report: say,
      signal,
    })
    // The commit is that of the beginning, whatever comes into the tree meanwhile.
    const setting = { commit: commit(), date: new Date().toISOString(), machine: thisMachineInWords() }
    const ports = preferredPorts(3, testPortBase())
    const result = await soak({ durationMs, folder: folder.path, ports, signal, report: say })
    await mkdir(path.dirname(report), { recursive: true })
    await writeFile(report, writeReport(result, setting))
    for (const { what, holds, detail } of result.verdict.checks)
      say(`${holds ? 'yes' : 'NO '} ${what}: ${detail}`)
    say(
      `${result.verdict.passed ? 'Passed' : 'FAILED'}; the report is ${path.relative(process.cwd(), report)}`,
    )
    return result.verdict.passed ? 0 : 1
  } catch (error) {
    if (signal.aborted) return 130
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`${error.message}\n`)
    return 2
  } finally {
    // Logs are what a failure is understood by.
    await keepLogs(folder.path)
    await folder.remove()
  }
}

async function keepLogs(folder: string): Promise<void> {
  const target = path.join(root, '.hexachord/soak-logs')
  await rm(target, { recursive: true, force: true })
  await mkdir(path.dirname(target), { recursive: true })
  await cp(path.join(folder, 'network/logs'), target, { recursive: true }).catch(() => undefined)
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
    const dirty = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes'
    return `${git('rev-parse', '--short=12', 'HEAD')}${dirty}`
  } catch {
    return 'not from a checkout'
  }
}
