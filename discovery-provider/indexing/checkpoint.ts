import type { Postgres, Statements } from '@hexachord/platform/postgres'
import { type RulesTable, rulesVersion } from '@hexachord/protocol/actions'
import type { Hash } from '@hexachord/protocol/names'
import { genesisStateHash } from '@hexachord/protocol/state-hash'

/** How far an index has come; changes in the same transaction as what it speaks of. */
export type Checkpoint = {
  /** The last indexed block; one before the network's first when there is none. */
  readonly indexed: number
  readonly finalized: number
  /** After the last indexed block that had logs, and the number of that block. */
  readonly stateHash: Hash
  readonly stateHashBlock: number
  /** Of the rules by which the state was made. */
  readonly rulesVersion: number
  /** From which block on which version was in force when it was made. */
  readonly versions: RulesTable
}

/** Which network an index is of; never changes. */
export type IndexedNetwork = {
  readonly chainId: number
  /** Lower case. */
  readonly catalog: string
  readonly firstBlock: number
}

/** The database holds the index of another network. */
export class WrongNetwork extends Error {
  override readonly name = 'WrongNetwork'
}

/** Another process has written to the index: open it anew. */
export class IndexMoved extends Error {
  override readonly name = 'IndexMoved'
}

type CheckpointRow = {
  chain_id: number
  catalog: string
  first_block: number
  rules_version: number
  rules_versions: RulesTable
  indexed: number
  finalized: number
  state_hash: Hash
  state_hash_block: number
}

/** The checkpoint of a database, which is made when there is none.
 * @throws WrongNetwork when the database holds the index of another network */
export async function openCheckpoint(
  client: Statements,
  network: IndexedNetwork,
  versions: RulesTable,
): Promise<Checkpoint> {
  const before = network.firstBlock - 1
  await client.query(
    `INSERT INTO checkpoint
       (chain_id, catalog, first_block, rules_version, indexed, finalized, state_hash, state_hash_block, rules_versions)
     VALUES ($1, $2, $3, $4, $5, $5, $6, $5, $7) ON CONFLICT (only_row) DO NOTHING`,
    [
      ...[network.chainId, network.catalog, network.firstBlock, rulesVersion, before, genesisStateHash],
      JSON.stringify(versions),
    ],
  )
  const { rows } = await client.query<CheckpointRow>('SELECT * FROM checkpoint')
  const [row] = rows
  if (row === undefined) throw new IndexMoved('the checkpoint of the index has disappeared')
  if (
    row.chain_id !== network.chainId ||
    row.catalog !== network.catalog ||
    row.first_block !== network.firstBlock
  ) {
    throw new WrongNetwork(
      `the database holds the index of the Catalog ${row.catalog} on chain ${row.chain_id} from block ${row.first_block}, but the network is ${network.catalog} on chain ${network.chainId} from block ${network.firstBlock}: name another database in DATABASE_URL, or empty this one`,
    )
  }
  return checkpointOf(row)
}

/** Moves the checkpoint, and proves that nobody else has moved it: the row stays locked until the end of the
 * transaction, so that of two writers (one of which has lost its lock unawares) one fails.
 * @throws IndexMoved */
export async function moveCheckpoint(client: Statements, from: Checkpoint, to: Checkpoint): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE checkpoint SET indexed = $1, finalized = $2, state_hash = $3, state_hash_block = $4, rules_version = $5,
       rules_versions = $6
     WHERE indexed = $7 AND state_hash = $8`,
    [
      to.indexed,
      to.finalized,
      to.stateHash,
      to.stateHashBlock,
      to.rulesVersion,
      JSON.stringify(to.versions),
      from.indexed,
      from.stateHash,
    ],
  )
  if (rowCount !== 1) {
    throw new IndexMoved(`another process has moved the index on from block ${from.indexed}`)
  }
}

/** Undefined before the first start of a writer. */
export async function readCheckpoint(client: Pick<Postgres, 'query'>): Promise<Checkpoint | undefined> {
  const { rows } = await client.query<CheckpointRow>('SELECT * FROM checkpoint')
  return rows[0] === undefined ? undefined : checkpointOf(rows[0])
}

function checkpointOf(row: CheckpointRow): Checkpoint {
  return {
    indexed: row.indexed,
    finalized: row.finalized,
    stateHash: row.state_hash,
    stateHashBlock: row.state_hash_block,
    rulesVersion: row.rules_version,
    versions: row.rules_versions,
  }
}
