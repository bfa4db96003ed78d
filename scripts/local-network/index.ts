import { rm } from 'node:fs/promises'
import { claimNetwork, findRunningNetwork, NetworkRunningError } from '../setup/index.ts'
import { allStarted } from './all-started.ts'
import { type LocalChain, openLocalChain } from './chain.ts'
import { createMiner, type Miner, removePostgresData } from './engines/index.ts'
import { foundNetwork, type LocalOperator } from './founding.ts'
import { createGrowing, type Growing, setupMiningEveryMs } from './growing.ts'
import { type HostOf, originOf, thisMachine } from './host.ts'
import { type Layout, layOut } from './layout.ts'
import { choosePorts, type Ports } from './ports.ts'
import { type ProcessEvent, type Processes, superviseProcesses } from './processes.ts'
import { startService } from './service.ts'
import { writeEnvironmentFile } from './service-environments.ts'
import { contentName, creatorName, discoveryName, planServices, type ServicePlan } from './services.ts'
import { layers, startEngines } from './start-engines.ts'

export type { LocalChain } from './chain.ts'
export { ChainMismatchError, localRules } from './contracts.ts'
export type { LocalOperator } from './founding.ts'
export { type Host, thisMachine } from './host.ts'
export { layOut } from './layout.ts'
export { tailOfLog } from './log-file.ts'
export { metricsOffset, type Ports, PortTakenError, preferredPorts } from './ports.ts'
export type { ProcessEvent, Processes } from './processes.ts'
export { contentName, creatorName, discoveryName, type ServicePlan } from './services.ts'
export { NotReadyError } from './until-ready.ts'

/** A part of the start, told when it begins and, with its duration, when it has ended. */
export type NetworkStep = { step: string; endedAfterMs?: number }

/** An operator who joins stands in `operators` and `urls` from then on, and is no part of the next start. */
export type LocalNetwork = Growing & {
  directory: string
  /** The file with the addresses of the contracts. */
  networkFile: string
  logDirectory: string
  urls: {
    chain: string
    creator: string
    discovery: string
    content: string[]
    database: string
    redis: string
  }
  /** The creator node's operator first, then the content services in their order. */
  operators: LocalOperator[]
  /** By name: `chain`, `postgres`, `redis`, `creator-node`, `discovery-provider`, `content-service-1`… */
  processes: Processes
  chain: LocalChain
  /** Ends every process, services first; the state stays for the next start. */
  stop(): Promise<void>
}

export type LocalNetworkOptions = {
  /** Everything that the network writes lies here; a second start continues from it. */
  directory: string
  /** Ports to try first. @default those of the last start, else the documented ones */
  ports?: Ports
  /** @default 3 */
  contentServices?: number
  /** `auto` mines each second while transactions wait; `manual` only by `chain.mine`. @default 'auto' */
  mining?: 'auto' | 'manual'
  /** Under so many blocks one counts as final in a network that is yet to be made. @default 2 */
  finalityBlocks?: number
  /** How often `auto` mines while transactions wait. @default 1_000 */
  blockEveryMs?: number
  /** A database to use instead of a Postgres of our own. */
  databaseUrl?: string | undefined
  /** A Redis to use instead of one of our own. */
  redisUrl?: string | undefined
  /** Where each process runs, by its name; Postgres always on this machine. @default this machine */
  hostOf?: HostOf
  /** What is to be different about a service from how its operator would commonly run it. @default nothing */
  adjustService?(plan: ServicePlan): ServicePlan
  /** Cancels the start; a network that runs is ended by `stop`. */
  signal: AbortSignal
  onStep?(step: NetworkStep): void
  /** Crashes, returns, and what else an operator would want to read. */
  report?(line: string): void
  /** Told of each process that ends by itself, before it is started again. */
  onCrash?(name: string, logFile: string): void
}

/** What a crashed owner left behind is ended by its guard in this time; its ports are free then. */
const orphansEndWithinMs = 10_000

/**
 * Starts a whole network on this machine: chain, Postgres, Redis, one creator node, one discovery provider
 * and content services, each of its own operator, each a process configured as its operator would.
 * Either everything is up when it resolves, or nothing is left when it rejects.
 *
 * @throws NetworkRunningError when one runs from the directory; NotReadyError with the last log lines of the
 * process that did not come up; ChainMismatchError, ChainStateError, SetupError with what to do
 */
export async function startLocalNetwork(options: LocalNetworkOptions): Promise<LocalNetwork> {
  const { contentServices = 3, mining = 'auto', blockEveryMs = 1_000, report = () => {} } = options
  const { hostOf = () => thisMachine, adjustService = (plan: ServicePlan) => plan } = options
  // What is started again later must not be cancelled by a signal that was meant for the start.
  const starting = new AbortController()
  const { signal } = starting
  const cancel = () => starting.abort(options.signal.reason)
  if (options.signal.aborted) cancel()
  options.signal.addEventListener('abort', cancel, { once: true })
  const layout = layOut(options.directory)
  const claim = claimNetwork(layout.directory)
  const processes = superviseProcesses({
    onEvent(event) {
      report(describeEvent(event, layout))
      if (event.kind === 'crashed') options.onCrash?.(event.name, layout.log(event.name))
    },
  })
  let miner: Miner | undefined

  async function stop(): Promise<void> {
    await miner?.close()
    miner = undefined
    try {
      await processes.close()
    } finally {
      claim.release()
    }
  }

  async function step<T>(name: string, action: () => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    options.onStep?.({ step: name })
    const startMs = performance.now()
    const result = await action()
    options.onStep?.({ step: name, endedAfterMs: Math.round(performance.now() - startMs) })
    return result
  }

  try {
    const ports = await choosePorts({
      directory: layout.directory,
      contentServices,
      patienceMs: claim.afterCrash ? orphansEndWithinMs : 0,
      ...(options.ports && { preferred: options.ports }),
    })
    const backends = await step('engines', () =>
      startEngines({ layout, ports, processes, hostOf, given: options, report, signal }),
    )
    const chain = openLocalChain(backends.rpcUrl)
    miner = createMiner({ rpcUrl: chain.rpcUrl, everyMs: setupMiningEveryMs, report })
    const operators = await step('operators', () =>
      foundNetwork({ layout, ports, hostOf, finalityBlocks: options.finalityBlocks, chain, signal }),
    )
    await miner.close()
    miner =
      mining === 'auto' ? createMiner({ rpcUrl: chain.rpcUrl, everyMs: blockEveryMs, report }) : undefined

    const addresses = new Map(operators.map((operator) => [operator.name, operator.address]))
    const operatorAddress = (name: string) => addresses.get(name) ?? ''
    const planning = { layout, ports, backends, hostOf, operatorAddress }
    const plans = planServices(planning).map(adjustService)
    await step('services', () =>
      allStarted(plans.map((plan) => keepService(plan, { layout, processes, signal }))),
    )
    options.signal.removeEventListener('abort', cancel)
    const content = ports.content.map((port, index) => originOf(port, hostOf(contentName(index))))

    const growing = createGrowing({
      planning,
      chain,
      start: (plan) => keepService(adjustService(plan), { layout, processes, signal }),
      onAdded(operator) {
        operators.push(operator)
        content.push(operator.endpoint)
      },
      onCreatorAdded: (operator) => void operators.push(operator),
      report,
      signal,
    })

    return {
      directory: layout.directory,
      networkFile: layout.networkFile,
      logDirectory: layout.logDirectory,
      urls: {
        chain: chain.rpcUrl,
        creator: originOf(ports.creator, hostOf(creatorName)),
        discovery: originOf(ports.discovery, hostOf(discoveryName)),
        content,
        database: backends.databaseUrl,
        redis: backends.redisUrl,
      },
      operators,
      processes,
      chain,
      ...growing,
      stop,
    }
  } catch (error) {
    options.signal.removeEventListener('abort', cancel)
    await stop()
    throw error
  }
}

/** Removes the state of the network in `directory`. Throws NetworkRunningError while it runs. */
export async function resetLocalNetwork(directory: string): Promise<void> {
  const layout = layOut(directory)
  const pid = findRunningNetwork(layout.directory)
  if (pid !== undefined) throw new NetworkRunningError(pid, layout.directory)
  await removePostgresData(layout.dataDirectory('postgres'))
  for (const name of layout.stateful) await rm(name, { recursive: true, force: true })
}

/** Starts a service and keeps it up. */
async function keepService(
  plan: ServicePlan,
  context: { layout: Layout; processes: Processes; signal: AbortSignal },
): Promise<void> {
  const { layout, processes, signal } = context
  const environmentFile = layout.environmentFile(plan.name)
  await writeEnvironmentFile(environmentFile, plan.variables)
  const launch = () =>
    startService({ ...plan, environmentFile, logFile: layout.log(plan.name), cwd: layout.directory, signal })
  await processes.start(plan.name, launch, layers.service)
}

function describeEvent(event: ProcessEvent, layout: Layout): string {
  const log = layout.log(event.name)
  switch (event.kind) {
    case 'crashed':
      return `${event.name} ended by itself (${event.exit.signal ?? `code ${event.exit.code}`}), starting it again in ${event.againInMs} ms; see ${log}`
    case 'failed':
      return `${event.name} did not come back, trying again in ${event.againInMs} ms: ${String(event.error)}`
    case 'back':
      return `${event.name} is back (pid ${event.pid})`
  }
}
