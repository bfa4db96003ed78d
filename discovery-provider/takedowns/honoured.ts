import type { Statements } from '@hexachord/platform/postgres'
import type { Address } from '@hexachord/protocol/names'

/** Accounts whose notices are honoured here: the operator's choice, and no part of the state. */
export type Honoured = ReadonlySet<Address>

/** By whose notices the tracks that are read have been chosen. */
export async function readHonoured(client: Statements): Promise<Honoured> {
  const { rows } = await client.query<{ account: Address }>('SELECT account FROM honoured')
  return new Set(rows.map(({ account }) => account))
}

export async function writeHonoured(client: Statements, honoured: Honoured): Promise<void> {
  await client.query('DELETE FROM honoured')
  await client.query('INSERT INTO honoured (account) SELECT * FROM unnest($1::text[])', [[...honoured]])
}
