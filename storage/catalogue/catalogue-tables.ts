import type { Migration } from '@hexachord/platform/sqlite'

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
  {
    name: 'catalogue-3-rules',
    sql: `ALTER TABLE catalogue_progress ADD COLUMN rules TEXT NOT NULL DEFAULT '';`,
  },
  {
    name: 'catalogue-4-replaced',
    sql: `
      CREATE TABLE catalogue_replaced (
        subject TEXT NOT NULL,
        manifest TEXT NOT NULL,
        block INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (subject, manifest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX catalogue_replaced_by_block ON catalogue_replaced (block);
      CREATE INDEX catalogue_replaced_by_time ON catalogue_replaced (at);
    `,
  },
  {
    name: 'catalogue-manifests',
    sql: `
      CREATE INDEX catalogue_state_by_manifest ON catalogue_state (json_extract(value, '$.body.manifest'))
        WHERE json_extract(value, '$.body.manifest') IS NOT NULL;
    `,
  },
  {
    name: 'catalogue-manifests-since',
    // Who had a manifest first can only be had by reading the chain once more.
    sql: `
      CREATE TABLE catalogue_manifest (
        subject TEXT NOT NULL,
        manifest TEXT NOT NULL,
        -- where it had it for the first time
        block INTEGER NOT NULL,
        log_index INTEGER NOT NULL,
        PRIMARY KEY (subject, manifest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX catalogue_manifest_by_place ON catalogue_manifest (manifest, block, log_index);
      DROP INDEX catalogue_state_by_manifest;
      UPDATE catalogue_progress SET rules = '';
    `,
  },
]

/** All that follows from the chain by the rules. */
export const derivedTables = [
  'catalogue_progress',
  'catalogue_block',
  'catalogue_state',
  'catalogue_state_hash',
  'catalogue_operator_log',
  'catalogue_action',
  'catalogue_manifest',
]
