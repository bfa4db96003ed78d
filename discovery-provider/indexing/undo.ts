import { copyRows, type Statements, together } from '@hexachord/platform/postgres'
import type { Json } from '@hexachord/protocol/canonical'
import type { RangeResult } from '@hexachord/protocol/catalogue'

/** Keeps what blocks overwrote, for as long as they can be replaced. */
export async function writeUndo(
  client: Statements,
  blocks: RangeResult['blocks'],
  finalized: number,
): Promise<void> {
  const rows = blocks
    .filter(({ number }) => number > finalized)
    .flatMap(({ number, changes }) =>
      [...changes].map(([key, { before }]) => [number, key, before === null ? null : JSON.stringify(before)]),
    )
  if (rows.length > 0) {
    await copyRows(client, 'undo', { block: 'bigint', key: 'text', before: 'json' }, rows)
  }
}

/** What the keys held that blocks above `toBlock` changed; null where there was nothing. */
export async function readUndo(client: Statements, toBlock: number): Promise<Map<string, Json>> {
  const { rows } = await client.query<{ key: string; before: Json }>(
    'SELECT DISTINCT ON (key) key, before FROM undo WHERE block > $1 ORDER BY key, block',
    [toBlock],
  )
  return new Map(rows.map(({ key, before }) => [key, before]))
}

/** Removes all that was stored of blocks above `toBlock`. */
export async function deleteBlocks(client: Statements, toBlock: number): Promise<void> {
  for (const table of ['undo', 'log', 'action', 'operator_event']) {
    await client.query(`DELETE FROM ${table} WHERE block > $1`, [toBlock])
  }
  await client.query('DELETE FROM block WHERE number > $1', [toBlock])
}

/** Drops what only an undo of final blocks would need. The newest final block stays, logs or not: the next
 * start compares it with the chain. */
export async function dropFinal(client: Statements, finalized: number): Promise<void> {
  await together([
    client.query('DELETE FROM undo WHERE block <= $1', [finalized]),
    client.query(
      `DELETE FROM block
       WHERE logs = 0 AND number < (SELECT max(number) FROM block WHERE number <= $1)`,
      [finalized],
    ),
  ])
}
