import type { Sqlite } from '@hexachord/platform/sqlite'
import { type RulesTable, rulesVersion, type SubjectState, type Verdict } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { IndexedBlock, RangeResult } from '@hexachord/protocol/catalogue'
import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import type { ChainLog } from '@hexachord/protocol/operators'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import { liveTrack, type RecordedAction, subjectOfKey } from './catalogue.ts'
import { derivedTables } from './catalogue-tables.ts'

// CROSS JOIN keeps the order: what others did later with a manifest is not looked at before those who had it first.
export const byManifestQuery = `SELECT key, value FROM catalogue_manifest
  CROSS JOIN catalogue_state ON key = 'subject/' || subject
  WHERE manifest = ? AND json_extract(value, '$.body.manifest') = manifest ORDER BY block, log_index LIMIT 64`

/** What tracks had and have no more, for as long as anything may wait to be published. */
const replacedMemoryMs = 32 * 24 * 3_600_000

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
  /** Entries of tracks that have a manifest, those that had it first before others, 64 of them. */
  withManifest(manifest: string): { key: string; value: Json }[]
  /** After a block that is indexed. */
  stateHashAt(block: number): Hash
  /** Adds a range in one transaction. */
  append(range: StoredRange): void
  /** @see Catalogue.replacedAt */
  replacedAt(subject: Subject, manifest: string): number | undefined
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

/** What was made by other rules, or by rules in force from other blocks on, is forgotten: it will be read again.
 * @param network tells networks apart @throws OtherNetwork */
export function openCatalogueStore(
  database: Sqlite,
  network: { name: string; firstBlock: number; versions: RulesTable },
): CatalogueStore {
  const known = database.get<{ network: string; rules: string }>(
    'SELECT network, rules FROM catalogue_progress',
  )
  if (known !== undefined && known.network !== network.name) {
    throw new OtherNetwork(known.network, network.name)
  }
  const rules = JSON.stringify([rulesVersion, network.versions.map((one) => [one.fromBlock, one.version])])
  if (known?.rules !== rules) {
    database.transaction(() => {
      for (const table of derivedTables) database.run(`DELETE FROM ${table}`)
      database.run(
        'INSERT INTO catalogue_progress (one, network, indexed, finalized, rules) VALUES (1, ?, ?, 0, ?)',
        network.name,
        network.firstBlock - 1,
        rules,
      )
    })
  }

  function addReplaced(blocks: readonly IndexedBlock[]): void {
    const now = Date.now()
    const since = now - replacedMemoryMs
    for (const { number, changes } of blocks) {
      for (const { subject, manifest, atMs } of replacedIn(changes)) {
        if (atMs < since) continue
        database.run(
          `INSERT INTO catalogue_replaced (subject, manifest, block, at) VALUES (?, ?, ?, ?)
           ON CONFLICT (subject, manifest) DO UPDATE SET block = excluded.block,
             at = CASE WHEN block = excluded.block THEN at ELSE excluded.at END`,
          ...[subject, manifest, number, now],
        )
      }
    }
    database.run('DELETE FROM catalogue_replaced WHERE at < ?', since)
  }

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

  function addManifests({ actions }: RangeResult): void {
    for (const { place, verdict } of actions) {
      if (verdict.verdict !== 'applied') continue
      for (const { key, value } of verdict.changes) {
        const subject = subjectOfKey(key)
        const track = subject && liveTrack(subject, value as unknown as SubjectState)
        if (track === undefined) continue
        database.run(
          `INSERT INTO catalogue_manifest (subject, manifest, block, log_index) VALUES (?, ?, ?, ?)
           ON CONFLICT DO NOTHING`,
          ...[track.subject, track.manifest, place.block, place.logIndex],
        )
      }
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
    withManifest: (manifest) =>
      database
        .all<{ key: string; value: string }>(byManifestQuery, manifest)
        .map(({ key, value }) => ({ key, value: JSON.parse(value) as Json })),
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
        addManifests(range.result)
        addStateHashes(range.result)
        addBlocks(range)
        addReplaced(range.result.blocks)
        database.run(
          'UPDATE catalogue_progress SET indexed = ?, finalized = max(finalized, ?)',
          range.toBlock,
          range.finalized,
        )
      })
    },
    replacedAt: (subject, manifest) =>
      database.get<{ at: number }>(
        'SELECT at FROM catalogue_replaced WHERE subject = ? AND manifest = ?',
        ...[subject, manifest],
      )?.at,
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
        database.run(
          `DELETE FROM catalogue_manifest
           WHERE block > ? AND subject IN (SELECT subject FROM catalogue_action WHERE block > ?)`,
          ...[block, block],
        )
        database.run('DELETE FROM catalogue_action WHERE block > ?', block)
        database.run('DELETE FROM catalogue_state_hash WHERE block > ?', block)
        database.run('DELETE FROM catalogue_replaced WHERE block > ?', block)
        database.run('DELETE FROM catalogue_operator_log WHERE block > ?', block)
        database.run('UPDATE catalogue_progress SET indexed = min(indexed, ?)', block)
        return [...keys]
      })
    },
  }
}

/** Tracks that another manifest or none followed on the one they had. */
function replacedIn(
  changes: IndexedBlock['changes'],
): { subject: Subject; manifest: string; atMs: number }[] {
  return [...changes].flatMap(([key, { before, after }]) => {
    const subject = subjectOfKey(key)
    if (subject === undefined || before === null || after === null) return []
    const [old, fresh] = [before, after] as unknown as [SubjectState, SubjectState]
    const manifest = liveTrack(subject, old)?.manifest
    if (manifest === undefined || liveTrack(subject, fresh)?.manifest === manifest) return []
    return [{ subject, manifest, atMs: fresh.updatedAtMs }]
  })
}
