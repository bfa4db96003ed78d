import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readNetworkFile } from '@hexachord/contracts/networks'
import { type Connection, connect } from '@hexachord/sdk/connect'
import type { ContentStatus } from '../../content-service/status.ts'
import {
  creatorName,
  discoveryName,
  type LocalNetwork,
  layOut,
  metricsOffset,
  type Ports,
  type ServicePlan,
  startLocalNetwork,
} from '../local-network/index.ts'
import { type ArtistOptions, beArtist } from './artists.ts'
import { type Audit, audit } from './audit.ts'
import { diskUse } from './disk-use.ts'
import { disturb } from './disturbances.ts'
import { beListener } from './listeners.ts'
import { createRepertoire, type Repertoire } from './repertoire.ts'
import { createSamples, type Samples, sampleProcesses } from './sampler.ts'
import { createTally, type Tally } from './tally.ts'
import { isAccountedFor, isContent, judge, megabytes, type Remains, type Verdict } from './verdict.ts'

export type SoakOptions = {
  /** How long artists, listeners and disturbances go on. */
  readonly durationMs: number
  /** Everything that the run writes lies here. */
  readonly folder: string
  readonly ports: Ports
  /** @default 3 */
  readonly artists?: number
  /** @default 3 */
  readonly listeners?: number
  readonly signal: AbortSignal
  readonly report: (line: string) => void
}

export type SoakResult = {
  readonly verdict: Verdict
  readonly audit: Audit
  readonly tally: Tally
  readonly samples: Samples
  readonly remains: readonly Remains[]
  /** Bytes of all tracks that were published, and of those that still are. */
  readonly publishedBytes: number
  readonly liveBytes: number
  readonly durationMs: number
}

const secondMs = 1_000
const contentServices = 3
/** A block is collected a minute after it came, 45 s after it was let go, in rounds of 15 s: see the content service of
 * these runs. */
const forgottenWithinMs = 150 * secondMs
/** Repairs of what was away at the end wait for their turn, and longer with every try. */
const settledWithinMs = 180 * secondMs
const endWithinMs = 180 * secondMs
/** Caches are to be full before their growth is looked at. */
const cacheBytes = 8 * 1024 ** 2

/**
 * Runs a network under constant change, and judges it: artists publish, replace and take back, listeners play, nodes
 * are killed, operators come and go.
 */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { durationMs, signal, report } = options
  const network = await startLocalNetwork({
    directory: `${options.folder}/network`,
    ports: options.ports,
    contentServices,
    blockEveryMs: 500,
    adjustService: forASoak,
    signal,
  })
  try {
    const startMs = performance.now()
    const elapsedMs = () => performance.now() - startMs
    const tally = createTally(report)
    const repertoire = createRepertoire(elapsedMs)
    const samples = createSamples()
    const connection = await connectTo(network)
    const ending = new AbortController()
    const sampling = new AbortController()
    const working = AbortSignal.any([signal, AbortSignal.timeout(durationMs + endWithinMs)])
    const sampled = sampleProcesses({
      ...{ network, samples, elapsedMs, ending: AbortSignal.any([signal, sampling.signal]) },
      everyMs: Math.max(2 * secondMs, Math.min(15 * secondMs, durationMs / 120)),
      metricsUrl: metricsUrls(network),
    })
    const context = { connection, repertoire, tally, random: Math.random, folder: options.folder }
    const timer = setTimeout(() => ending.abort(), durationMs)
    const stop = () => ending.abort()
    signal.addEventListener('abort', stop, { once: true })
    const progress = setInterval(() => report(progressLine(elapsedMs(), tally, repertoire)), 60 * secondMs)
    try {
      await everyone({ ...context, ending: ending.signal, signal: working }, options, [
        disturb({
          ...{ network, tally, random: Math.random, elapsedMs, ending: ending.signal },
          everyMs: Math.max(5 * secondMs, Math.min(25 * secondMs, durationMs / 20)),
          allMortalUntilMs: durationMs / 3,
        }),
      ])
    } finally {
      clearTimeout(timer)
      clearInterval(progress)
      signal.removeEventListener('abort', stop)
      sampling.abort()
      await sampled
    }
    signal.throwIfAborted()
    report('Everyone rests; the audit begins')
    const found = await audit({ network, connection, repertoire, withinMs: settledWithinMs })
    const remains = await remainsOnceForgotten(network, repertoire)
    for (const { name, exit } of network.processes.crashes())
      tally.fault('processes that ended by themselves', `${name}: ${exit.signal ?? exit.code}`)
    const warmUpMs = Math.min(4 * 60 * secondMs, durationMs / 5)
    return {
      verdict: judge({ samples, tally, audit: found, remains, warmUpMs }),
      ...{ audit: found, tally, samples, remains, durationMs },
      publishedBytes: repertoire.totalBytes(),
      liveBytes: repertoire.liveBytes(),
    }
  } finally {
    await network.stop()
  }
}

async function everyone(
  context: ArtistOptions,
  { artists = 3, listeners = 3 }: SoakOptions,
  others: Promise<void>[],
): Promise<void> {
  await Promise.all([
    ...others,
    ...Array.from({ length: artists }, (_, index) => beArtist(`Artist ${index + 1}`, context)),
    ...Array.from({ length: listeners }, () => beListener(context)),
  ])
}

/** An artist does more here in an hour than others in a year; what a day's budget bounds is tested elsewhere. */
const noBudget = {
  DAILY_ACTIONS: 1e6,
  DAILY_ACTIONS_PER_KEY: 1e6,
  DAILY_GAS: 1e12,
  DAILY_GAS_PER_KEY: 1e12,
}

function forASoak(plan: ServicePlan): ServicePlan {
  const fileHere = (name: string) => fileURLToPath(new URL(name, import.meta.url))
  const entry = isContent(plan.name) ? fileHere('short-memory-content-service.ts') : plan.entry
  return {
    ...plan,
    entry: fileHere('collecting-service.ts'),
    variables: {
      ...plan.variables,
      ...(plan.name === creatorName ? noBudget : {}),
      ...{ CACHE_BYTES: cacheBytes, LOG_LEVEL: 'warn', SOAK_ENTRY: entry },
    },
  }
}

/** What stands on the disks once the nodes had the time to forget. The creator node keeps for days what an artist may
 * still publish: it is held to all that was ever published. */
async function remainsOnceForgotten(network: LocalNetwork, repertoire: Repertoire): Promise<Remains[]> {
  const layout = layOut(network.directory)
  const names = network.processes
    .names()
    .filter((name) => network.processes.pid(name) !== undefined && (isContent(name) || name === creatorName))
  const endMs = performance.now() + forgottenWithinMs
  for (;;) {
    const remains = await Promise.all(
      names.map(async (process) => ({
        process,
        blockBytes: (await diskUse(layout.dataDirectory(process))).blocks,
        accountedBytes: isContent(process) ? repertoire.liveBytes() : repertoire.totalBytes(),
      })),
    )
    if (remains.every(isAccountedFor)) return remains
    if (performance.now() > endMs) return Promise.all(remains.map((one) => withReason(network, one)))
    await wait(secondMs)
  }
}

/** Asks a content service that keeps too much what it keeps, for whoever has to find out why. */
async function withReason(network: LocalNetwork, remains: Remains): Promise<Remains> {
  const operator = network.operators.find(({ name }) => name === remains.process)
  if (isAccountedFor(remains) || operator === undefined) return remains
  const response = await fetch(`${operator.endpoint}/status`, { signal: AbortSignal.timeout(10 * secondMs) })
  const { held, missing, releasing, extra, leases } = (await response.json()) as ContentStatus
  const tracks = `${held} tracks held, ${missing} missing, ${releasing} releasing, ${extra} extra`
  return { ...remains, kept: `${tracks}; ${leases.held} leases held, ${leases.pulling} pulling` }
}

/** Metrics are served on loopback, at a fixed distance from a service's own port. */
function metricsUrls({ urls, operators }: LocalNetwork): (process: string) => string | undefined {
  return (process) => {
    const operator = operators.find(({ name }) => name === process)
    const origin = process === discoveryName ? urls.discovery : operator?.endpoint
    if (origin === undefined) return undefined
    return `http://127.0.0.1:${Number(new URL(origin).port) + metricsOffset}/metrics`
  }
}

function progressLine(elapsedMs: number, tally: Tally, repertoire: Repertoire): string {
  const minutes = Math.round(elapsedMs / 60_000)
  const done = ['tracks published', 'tracks replaced', 'tracks unpublished', 'playbacks']
    .map((what) => `${tally.of(what)} ${what}`)
    .join(', ')
  return `after ${minutes} min: ${done}, ${megabytes(repertoire.liveBytes())} live, ${[...tally.faults().keys()].join(', ') || 'no fault'}`
}

async function connectTo({ urls, networkFile }: LocalNetwork): Promise<Connection> {
  const { chainId, contracts } = await readNetworkFile(networkFile)
  return connect({
    discovery: [urls.discovery],
    creators: [urls.creator],
    network: { chainId, contracts },
    signal: AbortSignal.timeout(10 * secondMs),
  })
}
