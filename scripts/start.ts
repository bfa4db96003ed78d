import { stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileUploadMemory } from '@hexachord/cli/settings'
import { connect } from '@hexachord/sdk/connect'
import { formatAmount } from '@hexachord/sdk/paying'
import { Command, CommanderError } from 'commander'
import { type LocalNetwork, resetLocalNetwork, startLocalNetwork } from './local-network/index.ts'
import {
  type JobStep,
  localKey,
  type MainJobResult,
  type PaidJobResult,
  type PaidJobStep,
  runMainJob,
  runPaidJob,
} from './main-job/index.ts'
import { makeSampleTrack } from './sample-music/index.ts'
import {
  ffmpeg,
  ffprobe,
  NetworkRunningError,
  prepareMachine,
  redisServer,
  SetupError,
} from './setup/index.ts'
import { createStepPrinter } from './step-printer.ts'

const startedAt = performance.now()
// Tests bring a folder of their own, so that they never touch the network of whoever works here.
const state = process.env.HEXACHORD_STATE || fileURLToPath(new URL('../.hexachord', import.meta.url))
const interrupted = new AbortController()
const interrupt = () => interrupted.abort(new Error('interrupted'))
process.once('SIGINT', interrupt)
process.once('SIGTERM', interrupt)

const stepTexts: Record<string, string> = {
  engines: 'chain, Postgres, Redis',
  operators: 'contracts, keys, stake of four operators',
  services: 'creator node, discovery provider, three content services',
}

process.exitCode = await main(process.argv)

async function main(args: string[]): Promise<number> {
  const program = new Command('scripts/start')
    .description('Starts a whole network on this machine, publishes a track, plays it, and stays up.')
    .argument('[file]', 'what to publish; by default music that these scripts synthesise')
    .option('--once', 'exit after the job')
    .option('--json', 'print one last line of JSON on stdout, and all else on stderr')
    .option('--reset', 'start anew: remove the state of an earlier start first')
    .exitOverride()
  try {
    program.parse(args)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
  const [file] = program.args
  const { once = false, json = false, reset = false } = program.opts<Options>()
  const printer = createStepPrinter(json ? process.stderr : process.stdout)
  let network: LocalNetwork | undefined
  try {
    if (file !== undefined) await checkFile(file)
    if (reset) await resetLocalNetwork(state)
    network = await startNetwork(printer)
    const setupMs = Math.round(performance.now() - startedAt)
    const { result, paid } = await publishAndPlay(network, file, printer)
    const urls = urlsOf(network, result)
    printer.end()
    report(printer.line, { result, paid, urls })
    if (json) {
      const { ms, ...rest } = result
      const priced = paid === undefined ? {} : { paid }
      process.stdout.write(`${JSON.stringify({ ...rest, ...priced, ms: { setup: setupMs, ...ms }, urls })}\n`)
    }
    if (!once) {
      printer.line('\nThe network stays up. Ctrl-C stops it; scripts/start continues from here.')
      await ended(interrupted.signal)
    }
    return result.hashFailures > 0 ? 1 : 0
  } catch (error) {
    printer.end()
    if (interrupted.signal.aborted) return once || json ? 130 : 0
    process.stderr.write(`\n${describe(error)}\n`)
    return error instanceof SetupError || error instanceof NetworkRunningError ? 2 : 1
  } finally {
    if (network) {
      printer.line('Stopping…')
      await network.stop()
    }
  }
}

type Options = { once?: boolean; json?: boolean; reset?: boolean }
type Printer = ReturnType<typeof createStepPrinter>

async function checkFile(file: string): Promise<void> {
  const info = await stat(file).catch((cause: unknown) => {
    throw new SetupError(`${file} cannot be read: give the path of an audio file`, { cause })
  })
  if (!info.isFile()) throw new SetupError(`${file} is not a file`)
  if (info.size === 0) throw new SetupError(`${file} is empty`)
}

async function startNetwork(printer: Printer): Promise<LocalNetwork> {
  const { signal } = interrupted
  await prepareMachine({
    state,
    programs: [ffmpeg, ffprobe, redisServer],
    report: printer.line,
    signal,
  })
  return startLocalNetwork({
    directory: state,
    databaseUrl: process.env.DATABASE_URL,
    redisUrl: process.env.REDIS_URL,
    signal,
    report: printer.line,
    onStep: ({ step, endedAfterMs }) => {
      if (endedAfterMs === undefined) printer.step(step, stepTexts[step] ?? '')
    },
  })
}

async function publishAndPlay(
  network: LocalNetwork,
  file: string | undefined,
  printer: Printer,
): Promise<{ result: MainJobResult; paid: PaidJobResult | undefined }> {
  const { signal } = interrupted
  if (file === undefined) printer.step('music', 'synthesised on the first start')
  const directory = network.directory
  const source = file ?? (await makeSampleTrack({ directory: path.join(directory, 'sample-music'), signal }))
  const connection = await connect({
    discovery: [network.urls.discovery],
    creators: [network.urls.creator],
    signal,
  })
  const artist = await localKey(directory, 'artist')
  const memory = fileUploadMemory(path.join(directory, 'data', 'artist'))
  const onStep = ({ step, detail, done, total }: JobStep | PaidJobStep) => {
    printer.step(step, detail)
    if (done !== undefined && total !== undefined) printer.progress(done, total)
  }
  const result = await runMainJob({
    connection,
    account: artist,
    file: source,
    details:
      file === undefined
        ? { artist: 'Hexachord', licence: 'CC0-1.0' }
        : { artist: 'Unknown artist', licence: 'all-rights-reserved' },
    ...{ directory, memory, signal, onStep },
  })
  // Whoever brings a file of their own wants to see that, and nothing else.
  const paid =
    file === undefined
      ? await runPaidJob({
          ...{ connection, artist, rpcUrl: network.urls.chain, directory, memory, signal, onStep },
        })
      : undefined
  return { result, paid }
}

function urlsOf({ urls }: LocalNetwork, { track }: MainJobResult) {
  return {
    stream: `${urls.discovery}/v1/tracks/${track}/stream`,
    track: `${urls.discovery}/v1/tracks/${track}`,
    origin: urls.discovery,
    discovery: `${urls.discovery}/v1/tracks`,
    docs: `${urls.discovery}/docs`,
    openapi: `${urls.discovery}/openapi.json`,
    creator: urls.creator,
    status: [urls.discovery, urls.creator, ...urls.content].map((origin) => `${origin}/status`),
  }
}

function report(
  line: (text: string) => void,
  {
    result,
    paid,
    urls,
  }: { result: MainJobResult; paid: PaidJobResult | undefined; urls: ReturnType<typeof urlsOf> },
): void {
  line('')
  line(`Track      ${result.track}`)
  line(`Held by    ${result.replicas.map(({ endpoint }) => endpoint).join('  ')}`)
  const wrong = result.hashFailures === 0 ? 'every hash right' : `${result.hashFailures} WRONG HASHES`
  line(`Played     ${result.segmentsPlayed} segments, ${result.bytesPlayed} bytes, ${wrong}`)
  if (paid !== undefined) {
    line(`For money  ${paid.paid}`)
    line(`Encrypted  ${paid.premium}`)
    line(`Paid       ${formatAmount(BigInt(paid.spent), paid.token)} for hearing both`)
  }
  line(`Any player ${urls.stream}`)
  line(`Subsonic   ${urls.origin}   with what \`hexachord app-password create\` prints`)
  line(`API        ${urls.docs}   ${urls.openapi}`)
  line(`Status     ${urls.status.join('  ')}`)
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
