import { fileURLToPath } from 'node:url'
import { keepBestLiked, rankChanged } from '@hexachord/discovery-provider/ranking'
import { copyRows, migrate, openPostgres, type Postgres } from '@hexachord/platform/postgres'
import { createLogger } from '@hexachord/platform/process'
import { rulesVersion } from '@hexachord/protocol/actions'
import { network } from '../gateway/content-service.ts'
import { type Catalogue, type CatalogueSize, columnsOf, lastMs, operatorAddresses } from './catalogue.ts'

const migrations = fileURLToPath(new URL('../../../discovery-provider/migrations', import.meta.url))
const filled = ['track', 'profile', 'playlist', 'follow', 'save', 'repost', 'play', 'tally', 'search_word']

/** Puts a catalogue where the index of a chain would: into the migrated schema, whose indexes are made afterwards. */
export async function fillDatabase(options: {
  url: string
  catalogue: Catalogue
  size: CatalogueSize
  signal: AbortSignal
  report(line: string): void
}): Promise<void> {
  const { url, catalogue, size, signal, report } = options
  const logger = createLogger({ service: 'bench', level: 'silent' })
  await migrate({ url, directory: migrations, logger })
  const postgres = openPostgres({ url, logger, statementTimeoutMs: 0 })
  const step = async (name: string, work: () => Promise<unknown>) => {
    signal.throwIfAborted()
    const startedAt = performance.now()
    await work()
    report(`${name}: ${Math.round((performance.now() - startedAt) / 100) / 10} s`)
  }
  const copy = (
    table: string,
    columns: string,
    rows: Iterable<Parameters<typeof copyRows>[3] extends Iterable<infer Row> ? Row : never>,
  ) => postgres.withClient((client) => copyRows(client, table, columns.split(' '), rows))
  try {
    const indexes = await dropIndexes(postgres)
    const half = Math.floor(size.tracks / 2)
    await step('tracks', () =>
      Promise.all([
        copy('track', columnsOf.track, catalogue.tracks(0, half)),
        copy('track', columnsOf.track, catalogue.tracks(half, size.tracks)),
      ]),
    )
    await step('users, playlists', async () => {
      await copy('profile', columnsOf.profile, catalogue.profiles())
      await copy('playlist', columnsOf.playlist, catalogue.playlists())
    })
    await step('follows, saves, reposts, plays', async () => {
      await copy('follow', columnsOf.edge, catalogue.follows())
      await copy('save', columnsOf.edge, catalogue.marks(17, 5))
      await copy('repost', columnsOf.edge, catalogue.marks(19, 2))
      await copy('play', columnsOf.play, catalogue.plays())
    })
    await step('tallies, words, operators', () => derive(postgres))
    await step('indexes', async () => {
      for (const index of indexes) await postgres.query(index)
      await postgres.query('VACUUM ANALYZE')
    })
    await step('rankings', () => rank(postgres, signal))
  } finally {
    await postgres.close()
  }
}

/** @returns the statements that make them again */
async function dropIndexes(postgres: Postgres): Promise<string[]> {
  const { rows } = await postgres.query<{ name: string; definition: string }>(
    `SELECT i.indexname AS name, i.indexdef AS definition FROM pg_indexes i
     WHERE i.schemaname = 'public' AND i.tablename = ANY ($1)
       AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = i.indexname)`,
    [filled],
  )
  for (const { name } of rows) await postgres.query(`DROP INDEX ${name}`)
  return rows.map(({ definition }) => definition)
}

/** What the index counts and notes as it writes. */
async function derive(postgres: Postgres): Promise<void> {
  await postgres.query(
    `INSERT INTO tally (subject, what, total)
     SELECT target, 'followers', count(*) FROM follow GROUP BY target
     UNION ALL SELECT author, 'following', count(*) FROM follow GROUP BY author
     UNION ALL SELECT target, 'saves', count(*) FROM save GROUP BY target
     UNION ALL SELECT target, 'reposts', count(*) FROM repost GROUP BY target`,
  )
  await postgres.query(
    `INSERT INTO search_word SELECT lexicon(search) FROM track
     UNION SELECT lexicon(search) FROM profile UNION SELECT lexicon(search) FROM playlist`,
  )
  await postgres.query('INSERT INTO search_tag SELECT DISTINCT unnest(tag_words) FROM track')
  await postgres.query(
    `INSERT INTO operator SELECT id, id, 'https://node.example/', 'https://node.example/', id, 1000000000, 1, true
     FROM unnest($1::text[]) AS id`,
    [operatorAddresses],
  )
  // As far as the chain goes. What is kept between blocks is kept by the checkpoint.
  await postgres.query(`INSERT INTO block VALUES (1, '', $1, 1, 'filled')`, [Math.floor(lastMs / 1000)])
  await postgres.query(
    `INSERT INTO checkpoint
       (chain_id, catalog, first_block, rules_version, indexed, finalized, state_hash, state_hash_block)
     VALUES ($1, $2, 1, $3, 1, 1, 'filled', 1)`,
    [network.chainId, network.contracts.catalog.toLowerCase(), rulesVersion],
  )
}

/** As the writer does it, all at once. Tracks that are only played, and seldom, would not keep a place. */
async function rank(postgres: Postgres, signal: AbortSignal): Promise<void> {
  await postgres.query(
    `INSERT INTO ranking_change (track) SELECT target FROM save UNION SELECT target FROM repost
     UNION SELECT track FROM play GROUP BY track HAVING sum(count) >= 40`,
  )
  while (await rankChanged(postgres, { nowMs: lastMs, batches: 10, signal })) signal.throwIfAborted()
  await keepBestLiked(postgres)
  await postgres.query('VACUUM ANALYZE ranking, search_liked')
}
