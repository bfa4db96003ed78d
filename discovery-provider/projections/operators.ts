import { type Statements, together } from '@hexachord/platform/postgres'
import type { Operator, OperatorSet } from '@hexachord/protocol/operators'
import { storableText } from './storable-text.ts'

/** Of the table, as a projection's. */
export const operatorVersion = 1

export type OperatorRow = {
  readonly id: string
  readonly controller: string
  readonly endpoint: string
  readonly gateway: string | null
  readonly hot_key: string
  /** Decimal. */
  readonly capacity_bytes: string
  /** Decimal. */
  readonly stake_wei: string
  readonly active: boolean
}

export function operatorRowOf(operator: Operator): OperatorRow {
  const endpoint = storableText(operator.endpoint)
  const url = URL.parse(endpoint)
  const web = url !== null && (url.protocol === 'http:' || url.protocol === 'https:')
  return {
    id: operator.operator,
    controller: operator.controller,
    endpoint,
    gateway: web ? endpoint : null,
    hot_key: operator.hotKey,
    capacity_bytes: operator.capacityBytes.toString(),
    stake_wei: operator.stakeWei.toString(),
    active: operator.active,
  }
}

/** Replaces the whole table: there are few operators, and they change seldom. */
export async function projectOperators(client: Statements, operators: OperatorSet): Promise<void> {
  await together([
    client.query('DELETE FROM operator'),
    client.query('INSERT INTO operator SELECT * FROM jsonb_populate_recordset(NULL::operator, $1::jsonb)', [
      JSON.stringify([...operators.values()].map(operatorRowOf)),
    ]),
  ])
}
