import { setTimeout as delay } from 'node:timers/promises'
import type { GuardedFetch } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { Logger, Metrics } from '@hexachord/platform/process'
import { parsed } from '@hexachord/protocol/checked'
import { blockAnswerSchema, discoveryStatusSchema, type PeerStatus } from '@hexachord/protocol/rest'
import type * as z from 'zod'
import { type IndexedNetwork, readCheckpoint } from '../indexing/index.ts'
import { readBlock } from '../reading/blocks.ts'
import { compareHistories } from './compare-histories.ts'

/** Other providers of the network, and whether they make the same of it. */
export type PeerWatch = {
  readonly peers: readonly PeerStatus[]
  /** Ends what is being asked. */
  close(): Promise<void>
}

/** Between two looks at all peers. */
const everyMs = 5_000

const answerTimeoutMs = 5_000
const answerBytes = 1 << 16

type Comparing = {
  readonly postgres: Postgres
  readonly network: IndexedNetwork
  /** Guarded: peers are strangers. */
  readonly fetch: GuardedFetch
  readonly signal: AbortSignal
}

/** Asks peers for their state hashes now and then, and raises an alarm when one differs from ours.
 * @param origins of other providers of the same network
 * @param now ms */
export function watchPeers({
  origins,
  metrics,
  logger,
  now,
  signal: outer,
  ...parts
}: Comparing & {
  origins: readonly string[]
  metrics: Metrics
  logger: Logger
  now: () => number
}): PeerWatch {
  const stopping = new AbortController()
  const signal = AbortSignal.any([stopping.signal, outer])
  const known = new Map(origins.map((peer) => [peer, unknownPeer(peer)]))
  const tell = createPeerMetrics(metrics)

  async function look(peer: string, before: PeerStatus): Promise<void> {
    const found = await comparePeer(peer, { ...parts, signal }).catch((error: unknown) => {
      if (!(error instanceof Error)) throw error
      return { ...before, outcome: 'unknown' as const, reason: error.message }
    })
    if (signal.aborted) return
    const status = { ...found, checkedAtMs: now() }
    known.set(peer, status)
    tell(status)
    if (status.outcome !== before.outcome) say(logger, status)
  }

  async function run(): Promise<void> {
    while (!signal.aborted && known.size > 0) {
      await Promise.all([...known].map(([peer, before]) => look(peer, before)))
      await delay(everyMs, undefined, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
    }
  }

  const finished = run()
  return {
    get peers() {
      return [...known.values()]
    },
    close() {
      stopping.abort()
      return finished
    },
  }
}

function unknownPeer(peer: string): PeerStatus {
  const nothing = { agreedBlock: null, divergesFrom: null, checkedAtMs: null }
  return { peer, outcome: 'unknown', ...nothing, reason: 'not asked yet' }
}

async function comparePeer(
  peer: string,
  { postgres, network, fetch, signal }: Comparing,
): Promise<PeerStatus> {
  async function ask<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
    const response = await fetch(peer + path, { signal, timeoutMs: answerTimeoutMs, maxBytes: answerBytes })
    if (!response.ok) {
      await response.body?.cancel()
      throw new Error(`${path} answers ${response.status}`)
    }
    return parsed(schema, await response.json())
  }

  const theirs = await ask('/status', discoveryStatusSchema)
  const ours = await readCheckpoint(postgres)
  if (ours === undefined) throw new Error('nothing is indexed here yet')
  const isSame =
    theirs.chainId === network.chainId &&
    theirs.catalog === network.catalog &&
    theirs.firstBlock === network.firstBlock
  if (!isSame) throw new Error(`it is of the network ${theirs.catalog} on chain ${theirs.chainId}`)
  const { outcome, block } = await compareHistories({
    ours: (number) => readBlock(postgres, number),
    theirs: (number) => ask(`/v1/blocks/${number}`, blockAnswerSchema),
    firstBlock: network.firstBlock,
    head: Math.min(ours.indexed, theirs.indexed),
    finalized: Math.min(ours.finalized, theirs.finalized),
  })
  const common = { peer, checkedAtMs: null, reason: null, outcome }
  return outcome === 'agrees'
    ? { ...common, agreedBlock: block, divergesFrom: null }
    : { ...common, agreedBlock: block - 1, divergesFrom: block }
}

function createPeerMetrics(metrics: Metrics): (status: PeerStatus) => void {
  const labelNames = ['peer'] as const
  const diverging = metrics.gauge<'peer'>({
    name: 'peer_diverging',
    help: '1 while another provider makes something else of the same chain',
    labelNames,
  })
  const unknown = metrics.gauge<'peer'>({
    name: 'peer_unknown',
    help: '1 while another provider cannot be compared with',
    labelNames,
  })
  const agreed = metrics.gauge<'peer'>({
    name: 'peer_agreed_block',
    help: 'Newest block at which another provider had the same state hash',
    labelNames,
  })
  return ({ peer, outcome, agreedBlock, divergesFrom }) => {
    diverging.set({ peer }, divergesFrom === null ? 0 : 1)
    unknown.set({ peer }, outcome === 'unknown' ? 1 : 0)
    if (agreedBlock !== null) agreed.set({ peer }, agreedBlock)
  }
}

function say(logger: Logger, { peer, outcome, agreedBlock, divergesFrom, reason }: PeerStatus): void {
  if (outcome === 'diverges') {
    logger.error({ peer, divergesFrom }, 'another provider makes something else of the same chain')
  } else if (outcome === 'agrees') {
    logger.info({ peer, agreedBlock }, 'another provider makes the same of the chain')
  } else logger.warn({ peer, reason }, 'another provider cannot be compared with')
}
