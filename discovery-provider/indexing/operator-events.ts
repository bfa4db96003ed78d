import { copyRows, type Statements } from '@hexachord/platform/postgres'
import type { OperatorEvent } from '@hexachord/protocol/operators'

/** Members of operator events that are big integers: decimal strings in the database. */
const bigIntegers = new Set(['capacityBytes', 'totalWei'])

/** All operator events in the order of the chain. */
export async function readOperatorEvents(client: Statements): Promise<OperatorEvent[]> {
  // As text: the driver's own parser would lose the revival below.
  const { rows } = await client.query<{ event: string }>(
    'SELECT event::text AS event FROM operator_event ORDER BY block, log_index',
  )
  return rows.map(({ event }) => decodeOperatorEvent(event))
}

export async function writeOperatorEvents(
  client: Statements,
  events: readonly OperatorEvent[],
): Promise<void> {
  if (events.length === 0) return
  await copyRows(
    client,
    'operator_event',
    ['block', 'log_index', 'event'],
    events.map((event) => [event.block, event.logIndex, encodeOperatorEvent(event)]),
  )
}

export function encodeOperatorEvent(event: OperatorEvent): string {
  return JSON.stringify(event, (key, value) => (bigIntegers.has(key) ? String(value) : value))
}

export function decodeOperatorEvent(text: string): OperatorEvent {
  return JSON.parse(text, (key, value) => (bigIntegers.has(key) ? BigInt(value) : value))
}
