import { ReorgTooDeep } from '@hexachord/platform/chain'
import type { Postgres, PostgresClient } from '@hexachord/platform/postgres'
import { rulesVersion } from '@hexachord/protocol/actions'
import type { CatalogueRules, RangeResult } from '@hexachord/protocol/catalogue'
import type { Hash } from '@hexachord/protocol/names'
import { type OperatorEvent, operatorsAt } from '@hexachord/protocol/operators'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import { projectOperators } from '../projections/operators.ts'
import { project } from '../projections/project.ts'
import {
  type ChainRange,
  readKnownBlocks,
  readStoredLogs,
  writeActions,
  writeBlocks,
  writeLogs,
} from './chain-records.ts'
import { type Checkpoint, type IndexedNetwork, moveCheckpoint, openCheckpoint } from './checkpoint.ts'
import { deriveRange } from './derive-range.ts'
import { readOperatorEvents, writeOperatorEvents } from './operator-events.ts'
import { readState, writeState } from './state.ts'
import { deleteBlocks, dropFinal, readUndo, writeUndo } from './undo.ts'

/** What one process at a time writes: the chain's logs, what follows from them by the rules, and what is read. */
export type CatalogueIndex = {
  readonly checkpoint: Checkpoint
  /** Applies a range that begins where the index ends, in one transaction: all of it, or nothing.
   * @param signal gives up until the transaction begins; then it is finished */
  append(range: Omit<ChainRange, 'type' | 'head'>, signal?: AbortSignal): Promise<RangeResult>
  /** Takes all blocks above `toBlock` back, in one transaction.
   * @throws ReorgTooDeep when some of them were final */
  takeBack(toBlock: number): Promise<void>
  /** Blocks to compare with the chain, newest first. */
  knownBlocks(): Promise<{ number: number; hash: string }[]>
  /** Makes everything anew from the stored logs, in one transaction. */
  replay(): Promise<void>
}

/** Logs that are replayed at once: enough to make the statements worth their cost, few enough for memory. */
const replayedLogs = 5_000

/** Opens the index in a migrated database, which must have no other writer. When the rules have changed since it
 * was made, it is made anew first.
 * @throws WrongNetwork when the database holds the index of another network */
export async function openCatalogueIndex({
  postgres,
  network,
  rules,
}: {
  postgres: Postgres
  network: IndexedNetwork
  rules: CatalogueRules
}): Promise<CatalogueIndex> {
  let { checkpoint, operatorEvents } = await postgres.transaction(async (client) => ({
    checkpoint: await openCheckpoint(client, network),
    operatorEvents: await readOperatorEvents(client),
  }))

  /** State, verdicts and what is read of logs that are stored or about to be. */
  async function write(client: PostgresClient, result: RangeResult, finalized: number): Promise<void> {
    await writeActions(client, result.actions)
    await writeOperatorEvents(client, result.operatorEvents)
    await writeUndo(client, result.blocks, finalized)
    await writeState(client, result.state)
    await project(client, result.state)
  }

  function operatorsOf(events: readonly OperatorEvent[]) {
    return operatorsAt(events, Number.POSITIVE_INFINITY, rules.minimumStakeWei)
  }

  const index: CatalogueIndex = {
    get checkpoint() {
      return checkpoint
    },

    async append(range, signal) {
      if (range.fromBlock !== checkpoint.indexed + 1) {
        throw new RangeError(
          `the index ends at ${checkpoint.indexed}, the range begins at ${range.fromBlock}`,
        )
      }
      const finalized = Math.max(checkpoint.finalized, range.finalized)
      const { stateHash } = checkpoint
      // Nobody else writes, so that the slow part needs no transaction.
      const result = await deriveRange({
        rules,
        range,
        stateHash,
        operatorEvents,
        read: (keys) => readState(postgres, keys),
        signal,
      })
      const next = {
        indexed: range.toBlock,
        finalized,
        stateHash: result.stateHash,
        stateHashBlock: result.blocks.at(-1)?.number ?? checkpoint.stateHashBlock,
        rulesVersion,
      }
      const events =
        result.operatorEvents.length > 0 ? [...operatorEvents, ...result.operatorEvents] : operatorEvents
      await postgres.transaction(async (client) => {
        await write(client, result, finalized)
        await writeLogs(client, range.logs)
        await writeBlocks(client, range, result.blocks, stateHash)
        if (events !== operatorEvents) await projectOperators(client, operatorsOf(events))
        await dropFinal(client, finalized)
        await moveCheckpoint(client, checkpoint, next)
      })
      checkpoint = next
      operatorEvents = events
      return result
    },

    async takeBack(toBlock) {
      if (toBlock < checkpoint.finalized && checkpoint.indexed > toBlock) {
        throw new ReorgTooDeep(
          `the chain was reorganised down to block ${toBlock}, but block ${checkpoint.finalized} was final and can no longer be undone. Check the node; if it is right, empty the database and start again`,
        )
      }
      const events = operatorEvents.filter(({ block }) => block <= toBlock)
      const next = await postgres.transaction(async (client) => {
        const before = await readUndo(client, toBlock)
        await writeState(client, before)
        await project(client, before)
        await deleteBlocks(client, toBlock)
        if (events.length < operatorEvents.length) await projectOperators(client, operatorsOf(events))
        const next = { ...checkpoint, indexed: toBlock, ...(await stateHashAt(client, toBlock, network)) }
        await moveCheckpoint(client, checkpoint, next)
        return next
      })
      checkpoint = next
      operatorEvents = events
    },

    knownBlocks: () => postgres.withClient((client) => readKnownBlocks(client, checkpoint.finalized)),

    async replay() {
      const replayed = await postgres.transaction(async (client) => {
        await client.query('TRUNCATE state, undo, action, operator_event, track, profile, playlist, operator')
        let stateHash = genesisStateHash
        let events: readonly OperatorEvent[] = []
        let last = network.firstBlock - 1
        for (;;) {
          const batch = await readStoredLogs(client, last, replayedLogs)
          if (batch.logs.length === 0) break
          const result = await deriveRange({
            rules,
            range: batch,
            stateHash,
            operatorEvents: events,
            read: (keys) => readState(client, keys),
          })
          await write(client, result, checkpoint.finalized)
          await restateBlocks(client, result.blocks)
          stateHash = result.stateHash
          events = [...events, ...result.operatorEvents]
          last = result.blocks.at(-1)?.number ?? last
        }
        await projectOperators(client, operatorsOf(events))
        const next = { ...checkpoint, stateHash, stateHashBlock: last, rulesVersion }
        await moveCheckpoint(client, checkpoint, next)
        return { next, events }
      })
      checkpoint = replayed.next
      operatorEvents = [...replayed.events]
    },
  }

  if (checkpoint.rulesVersion !== rulesVersion) await index.replay()
  return index
}

/** State hash after a block that is indexed, and the last block with logs up to it. */
async function stateHashAt(
  client: PostgresClient,
  block: number,
  network: IndexedNetwork,
): Promise<Pick<Checkpoint, 'stateHash' | 'stateHashBlock'>> {
  const { rows } = await client.query<{ number: number; state_hash: Hash }>(
    'SELECT number, state_hash FROM block WHERE number <= $1 AND logs > 0 ORDER BY number DESC LIMIT 1',
    [block],
  )
  const [row] = rows
  if (row === undefined) return { stateHash: genesisStateHash, stateHashBlock: network.firstBlock - 1 }
  return { stateHash: row.state_hash, stateHashBlock: row.number }
}

/** Blocks without logs carry the hash of the last one with logs. */
async function restateBlocks(client: PostgresClient, blocks: RangeResult['blocks']): Promise<void> {
  await client.query(
    `UPDATE block SET state_hash = fresh.state_hash
     FROM (
       SELECT number, lead(number) OVER (ORDER BY number) AS following, state_hash
       FROM unnest($1::bigint[], $2::text[]) AS given (number, state_hash)
     ) AS fresh
     WHERE block.number >= fresh.number AND (fresh.following IS NULL OR block.number < fresh.following)`,
    [blocks.map(({ number }) => number), blocks.map(({ stateHash }) => stateHash)],
  )
}
