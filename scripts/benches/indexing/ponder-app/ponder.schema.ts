import { onchainTable } from 'ponder'

export const action = onchainTable('action', (t) => ({
  id: t.text().primaryKey(),
  block: t.integer().notNull(),
  log_index: t.integer().notNull(),
  signer: t.hex().notNull(),
  author: t.hex().notNull(),
  nonce: t.bigint().notNull(),
  kind: t.integer().notNull(),
  subject: t.hex().notNull(),
}))

/** Tracks, profiles, playlists and comments, by subject. */
export const entity = onchainTable('entity', (t) => ({
  subject: t.hex().primaryKey(),
  kind: t.integer().notNull(),
  author: t.hex().notNull(),
  body: t.json().notNull(),
  created_at: t.integer().notNull(),
  updated_at: t.integer().notNull(),
}))

/** Who follows, saves, reposts or reacts to what. */
export const edge = onchainTable('edge', (t) => ({
  id: t.text().primaryKey(),
  kind: t.integer().notNull(),
  author: t.hex().notNull(),
  target: t.text().notNull(),
  state: t.text(),
  at_ms: t.bigint().notNull(),
}))

export const tally = onchainTable('tally', (t) => ({
  id: t.text().primaryKey(),
  total: t.integer().notNull(),
}))
