import { type HealthCheck, healthRoutes } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import { rulesVersion, rulesVersionAt } from '@hexachord/protocol/actions'
import type { DiscoveryStatus, PeerStatus } from '@hexachord/protocol/rest'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import type { Router } from 'express'
import { type Checkpoint, type IndexedNetwork, isIndexComplete, readCheckpoint } from '../indexing/index.ts'
import { readRebuild } from '../rebuilding/index.ts'
import type { ChainHead } from './chain-head.ts'

/** What the process is at the moment, beside what the database says. */
export type ProcessStatus = {
  readonly version: string
  readonly role: 'writer' | 'standby'
  readonly peers?: PeerStatus[]
  readonly payments?: DiscoveryStatus['payments']
}

type StatusSources = {
  postgres: Postgres
  head: ChainHead
  network: IndexedNetwork
  process: () => ProcessStatus
}

/** `/health`, `/ready` and `/status`. Ready: the database and the chain answer, the index has once reached the
 * block that was the newest when this process first asked, and nothing is missing by which readers find its rows. An
 * index that falls behind later is still worth reading: that it does is told by `/status` and by `indexer_lag_seconds`. */
export function statusRoutes(sources: StatusSources): Router {
  const { postgres, head } = sources
  return healthRoutes({
    checks: {
      database: () => postgres.ping(),
      async chain() {
        await head.current()
      },
      caughtUp: caughtUpOnce(sources),
    },
    status: () => discoveryStatus(sources),
  })
}

async function discoveryStatus({
  postgres,
  head,
  network,
  process,
}: StatusSources): Promise<DiscoveryStatus> {
  const checkpoint = (await readCheckpoint(postgres)) ?? emptyCheckpoint(network)
  // A status is most wanted when the chain does not answer.
  const chain = await head.current().catch(() => head.lastSeen)
  const newest = Math.max(chain?.number ?? 0, checkpoint.indexed)
  return {
    service: 'discovery-provider',
    ...process(),
    chainId: network.chainId,
    catalog: network.catalog,
    firstBlock: network.firstBlock,
    head: newest,
    headSeenAtMs: head.lastSeenAtMs ?? null,
    indexed: checkpoint.indexed,
    finalized: checkpoint.finalized,
    lagBlocks: newest - checkpoint.indexed,
    rulesVersion: rulesVersionAt(checkpoint.versions, checkpoint.indexed),
    stateHash: checkpoint.stateHash,
    stateHashBlock: checkpoint.stateHashBlock,
    rebuild: await readRebuild(postgres),
  }
}

function emptyCheckpoint(network: IndexedNetwork): Checkpoint {
  const before = network.firstBlock - 1
  return {
    indexed: before,
    finalized: before,
    stateHash: genesisStateHash,
    stateHashBlock: before,
    rulesVersion,
    versions: [],
  }
}

function caughtUpOnce({ postgres, head, network }: StatusSources): HealthCheck {
  let caughtUp = false
  let goal: number | undefined
  return async () => {
    if (caughtUp) return
    const { number } = await head.current()
    // A reorganisation may leave the chain shorter than it was.
    goal = Math.min(goal ?? number, number)
    const { indexed } = (await readCheckpoint(postgres)) ?? emptyCheckpoint(network)
    if (indexed < goal) throw new Error(`indexed ${indexed} of ${goal} blocks`)
    if (!(await isIndexComplete(postgres))) throw new Error('the indexes of what was indexed are being made')
    caughtUp = true
  }
}
