import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Verdict } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { RangeResult } from '@hexachord/protocol/catalogue'
import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import type { ChainLog } from '@hexachord/protocol/operators'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import type { RecordedAction } from './catalogue.ts'

/** For a service's one database: run these before `followCatalogue`. */
export const catalogueMigrations: readonly Migration[] = [
  {
    name: 'catalogue-1',
    sql: `
      CREATE TABLE catalogue_progress (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        network TEXT NOT NULL,
        indexed INTEGER NOT NULL,
        finalized INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE catalogue_block (
        number INTEGER PRIMARY KEY,
        hash TEXT NOT NULL,
        state_hash TEXT NOT NULL,
        undo TEXT NOT NULL
      ) STRICT;
      CREATE TABLE catalogue_state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE catalogue_operator_log (
        block INTEGER NOT NULL,
        log_index INTEGER NOT NULL,
        log TEXT NOT NULL,
        PRIMARY KEY (block, log_index)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE catalogue_action (
        block INTEGER NOT NULL,
        log_index INTEGER NOT NULL,
        hash TEXT NOT NULL,
        timestamp INTEGER NOT NULL,
        subject TEXT NOT NULL,
        kind INTEGER NOT NULL,
        signer TEXT NOT NULL,
        verdict TEXT NOT NULL,
        reason TEXT,
        PRIMARY KEY (block, log_index)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX catalogue_action_by_hash ON catalogue_action (hash);
    `,
  },
  {
    name: 'catalogue-2-state-hashes',
    // State hashes of old blocks can only be had by reading the chain once more.
    sql: `
      CREATE TABLE catalogue_state_hash (block INTEGER PRIMARY KEY, state_hash TEXT NOT NULL) STRICT;
      DELETE FROM catalogue_progress;
      DELETE FROM catalogue_block;
      DELETE FROM catalogue_state;
      DELETE FROM catalogue_operator_log;
      DELETE FROM catalogue_action;
    `,
  },
]

/** The database holds the index of another network. */
export class OtherNetwork extends Error {
  override readonly name = 'OtherNetwork'

  constructor(stored: string, wanted: string) {
    super(
      `the database holds the index of network ${stored}, the network file says ${wanted}: give this network a data directory of its own`,
    )
  }
}

/** A range of the chain with what the rules made of it. */
export type StoredRange = {
  readonly toBlock: number
  readonly finalized: number
  /** Ascending: all that could still be undone, and `toBlock`. */
  readonly blocks: readonly { readonly number: number; readonly hash: string }[]
  readonly operatorLogs: readonly ChainLog[]
  readonly result: RangeResult
}

/** The index in SQLite: the present state, and what is needed to take back blocks that are not final. */
export type CatalogueStore = {
  progress(): { indexed: number; finalized: number; stateHash: Hash }
  /** Newest first. */
  blocks(): { number: number; hash: string }[]
  /** In the order of the chain. */
  operatorLogs(): ChainLog[]
  value(key: string): Json | undefined
  values(keys: readonly string[]): Map<string, Json>
  /** Up to `limit` entries behind a key, in the order of the keys. */
  page(after: string, limit: number): { key: string; value: Json }[]
  action(hash: Hash): RecordedAction | undefined
  /** After a block that is indexed. */
  stateHashAt(block: number): Hash
  /** Adds a range in one transaction. */
  append(range: StoredRange): void
  /** Takes back every block above one, in one transaction. @returns keys whose values are others now */
  undoTo(block: number): string[]
}

type ActionRow = {
  block: number
  log_index: number
  hash: Hash
  timestamp: number
  subject: Subject
  kind: number
  signer: Address
  verdict: Verdict['verdict']
  reason: string | null
}

/** @param network tells networks apart @throws OtherNetwork */
export function openCatalogueStore(
  database: Sqlite,
  network: { name: string; firstBlock: number },
): CatalogueStore {
  const known = database.get<{ network: string }>('SELECT network FROM catalogue_progress')
  if (known === undefined) {
    database.run(
      'INSERT INTO catalogue_progress (one, network, indexed, finalized) VALUES (1, ?, ?, 0)',
      network.name,
      network.firstBlock - 1,
    )
  } else if (known.network !== network.name) throw new OtherNetwork(known.network, network.name)

  function stateHash(): Hash {
    const newest = database.get<{ state_hash: Hash }>(
      'SELECT state_hash FROM catalogue_block ORDER BY number DESC LIMIT 1',
    )
    return newest?.state_hash ?? genesisStateHash
  }

  function value(key: string): Json | undefined {
    const row = database.get<{ value: string }>('SELECT value FROM catalogue_state WHERE key = ?', key)
    return row === undefined ? undefined : (JSON.parse(row.value) as Json)
  }

  function setValue(key: string, json: Json): void {
    if (json === null) database.run('DELETE FROM catalogue_state WHERE key = ?', key)
    else {
      database.run(
        'INSERT INTO catalogue_state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
        key,
        JSON.stringify(json),
      )
    }
  }

  function addBlocks({ blocks, result, finalized }: StoredRange): void {
    const changed = new Map(result.blocks.map((block) => [block.number, block]))
    let hash = stateHash()
    for (const { number, hash: blockHash } of blocks) {
      const indexed = changed.get(number)
      hash = indexed?.stateHash ?? hash
      const undo = [...(indexed?.changes ?? [])].map(([key, { before }]) => [key, before])
      database.run(
        'INSERT INTO catalogue_block (number, hash, state_hash, undo) VALUES (?, ?, ?, ?)',
        number,
        blockHash,
        hash,
        JSON.stringify(undo),
      )
    }
    // The newest final block stays: following goes on from it, and its state hash.
    database.run(
      'DELETE FROM catalogue_block WHERE number < (SELECT max(number) FROM catalogue_block WHERE number <= ?)',
      finalized,
    )
  }

  function addActions({ actions }: RangeResult): void {
    for (const { action, place, verdict } of actions) {
      database.run(
        'INSERT INTO catalogue_action (block, log_index, hash, timestamp, subject, kind, signer, verdict, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        place.block,
        place.logIndex,
        action.hash,
        place.timestamp,
        action.subject,
        action.kind,
        action.signer,
        verdict.verdict,
        verdict.verdict === 'applied' ? null : verdict.reason,
      )
    }
  }

  function addStateHashes({ blocks }: RangeResult): void {
    for (const { number, stateHash } of blocks) {
      database.run('INSERT INTO catalogue_state_hash (block, state_hash) VALUES (?, ?)', number, stateHash)
    }
  }

  return {
    progress() {
      const row = database.get<{ indexed: number; finalized: number }>(
        'SELECT indexed, finalized FROM catalogue_progress',
      )
      return { indexed: network.firstBlock - 1, finalized: 0, ...row, stateHash: stateHash() }
    },
    blocks: () => database.all('SELECT number, hash FROM catalogue_block ORDER BY number DESC'),
    operatorLogs: () =>
      database
        .all<{ log: string }>('SELECT log FROM catalogue_operator_log ORDER BY block, log_index')
        .map(({ log }) => JSON.parse(log) as ChainLog),
    value,
    values: (keys) =>
      new Map(
        keys.flatMap((key) => {
          const found = value(key)
          return found === undefined ? [] : [[key, found] as const]
        }),
      ),
    page: (after, limit) =>
      database
        .all<{ key: string; value: string }>(
          'SELECT key, value FROM catalogue_state WHERE key > ? ORDER BY key LIMIT ?',
          after,
          limit,
        )
        .map((row) => ({ key: row.key, value: JSON.parse(row.value) as Json })),
    action(hash) {
      const row = database.get<ActionRow>('SELECT * FROM catalogue_action WHERE hash = ?', hash)
      if (row === undefined) return undefined
      const { subject, kind, signer, verdict, reason } = row
      const place = { block: row.block, timestamp: row.timestamp, logIndex: row.log_index }
      return { hash, subject, kind, signer, place, verdict, ...(reason === null ? {} : { reason }) }
    },
    stateHashAt(block) {
      const row = database.get<{ state_hash: Hash }>(
        'SELECT state_hash FROM catalogue_state_hash WHERE block <= ? ORDER BY block DESC LIMIT 1',
        block,
      )
      return row?.state_hash ?? genesisStateHash
    },
    append(range) {
      database.transaction(() => {
        for (const [key, json] of range.result.state) setValue(key, json)
        for (const log of range.operatorLogs) {
          database.run(
            'INSERT INTO catalogue_operator_log (block, log_index, log) VALUES (?, ?, ?)',
            log.blockNumber,
            log.logIndex,
            JSON.stringify(log),
          )
        }
        addActions(range.result)
        addStateHashes(range.result)
        addBlocks(range)
        database.run(
          'UPDATE catalogue_progress SET indexed = ?, finalized = max(finalized, ?)',
          range.toBlock,
          range.finalized,
        )
      })
    },
    undoTo(block) {
      return database.transaction(() => {
        const keys = new Set<string>()
        const undone = database.all<{ undo: string }>(
          'SELECT undo FROM catalogue_block WHERE number > ? ORDER BY number DESC',
          block,
        )
        for (const { undo } of undone) {
          for (const [key, before] of JSON.parse(undo) as [string, Json][]) {
            setValue(key, before)
            keys.add(key)
          }
        }
        database.run('DELETE FROM catalogue_block WHERE number > ?', block)
        database.run('DELETE FROM catalogue_action WHERE block > ?', block)
        database.run('DELETE FROM catalogue_state_hash WHERE block > ?', block)
        database.run('DELETE FROM catalogue_operator_log WHERE block > ?', block)
        database.run('UPDATE catalogue_progress SET indexed = min(indexed, ?)', block)
        return [...keys]
      })
    },
  }
}
