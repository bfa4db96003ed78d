import type { Postgres } from '@hexachord/platform/postgres'
import { rulesVersion } from '@hexachord/protocol/actions'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import type { OperatorEvent } from '@hexachord/protocol/operators'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import { readStoredBlocks, readStoredLogs, splitRange, writeBlocks } from '../indexing/chain-records.ts'
import type { Checkpoint, IndexedNetwork } from '../indexing/checkpoint.ts'
import { deriveRange } from '../indexing/derive-range.ts'
import { changesOf, readState } from '../indexing/state.ts'
import { writeDerived } from '../indexing/write-derived.ts'
import type { Building } from './building.ts'

/** Tables that follow from the raw logs by the rules, below those that are read. */
export const derivedTables = ['state', 'undo', 'action', 'operator_event', 'block'] as const

/** Logs that are judged at once: enough to make the statements worth their cost, few enough for memory. */
const batchLogs = 2_000

/** Judges all stored logs anew, from the first one, without asking the chain.
 * @returns where the index stands by these rules */
export async function remakeState(
  building: Building,
  {
    postgres,
    network,
    rules,
    checkpoint,
    signal,
  }: {
    postgres: Postgres
    network: IndexedNetwork
    rules: CatalogueRules
    checkpoint: Checkpoint
    signal: AbortSignal
  },
): Promise<{ checkpoint: Checkpoint; operatorEvents: OperatorEvent[] }> {
  await building.begin('state', 'log')
  const operatorEvents: OperatorEvent[] = []
  let stateHash = genesisStateHash
  let stateHashBlock = network.firstBlock - 1
  for (let last = stateHashBlock; last < checkpoint.indexed; ) {
    const { logs } = await postgres.withClient((client) => readStoredLogs(client, last, batchLogs))
    const toBlock = logs.at(-1)?.blockNumber ?? checkpoint.indexed
    const blocks = await postgres.withClient((client) => readStoredBlocks(client, last, toBlock))
    const given = { fromBlock: last + 1, toBlock, finalized: checkpoint.finalized, logs, blocks }
    const { range, result } = await building.batch(
      async (client) => {
        const read = (keys: string[]) => readState(client, keys)
        const result = await deriveRange({ rules, range: given, stateHash, operatorEvents, read, signal })
        const end = result.blocks.at(-1)
        const range = result.isCut && end !== undefined ? splitRange(given, end.number)[0] : given
        await writeDerived(client, result, changesOf(result.blocks), checkpoint.finalized)
        await writeBlocks(client, range, result.blocks, stateHash)
        return { range, result }
      },
      ({ range }) => range.logs.length,
    )
    operatorEvents.push(...result.operatorEvents)
    stateHash = result.stateHash
    stateHashBlock = result.blocks.at(-1)?.number ?? stateHashBlock
    last = range.toBlock
  }
  const { versions } = rules
  return { checkpoint: { ...checkpoint, stateHash, stateHashBlock, rulesVersion, versions }, operatorEvents }
}
