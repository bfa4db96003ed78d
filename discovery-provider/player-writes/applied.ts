import { setTimeout } from 'node:timers/promises'
import { Problem } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { Hash } from '@hexachord/protocol/names'

/** Whether all of some actions are in the index. */
export type Applied = 'applied' | 'pending'

/** Players wait for an answer some ten seconds, in which most chains make a block. */
const patienceMs = 8_000
const pollMs = 200

/** Waits until actions are in the index, for as long as a player waits for its answer.
 * @throws Problem 409 for one that was rejected, and the signal's reason */
export async function untilApplied(
  postgres: Pick<Postgres, 'query'>,
  hashes: readonly Hash[],
  signal: AbortSignal | undefined,
): Promise<Applied> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const { rows } = await postgres.query<{ verdict: string; reason: string | null }>(
      'SELECT verdict, reason FROM action WHERE hash = ANY ($1)',
      [hashes],
    )
    const rejected = rows.find(({ verdict }) => verdict !== 'applied')
    if (rejected) {
      const detail = `the network has rejected it: ${rejected.reason ?? rejected.verdict}`
      throw new Problem({ status: 409, slug: 'action-rejected', detail })
    }
    if (rows.length === hashes.length) return 'applied'
    if (performance.now() > deadline) return 'pending'
    await setTimeout(pollMs, undefined, signal ? { signal } : {})
  }
}
