import { FetchFailed, type GuardedFetch, Problem } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { SignedAction } from '@hexachord/protocol/actions'
import { checked } from '@hexachord/protocol/checked'
import type { Address, Hash } from '@hexachord/protocol/names'
import { problemSchema } from '@hexachord/protocol/rest'
import type { Domain } from '@hexachord/protocol/signing'
import { createToken } from '@hexachord/protocol/tokens'
import type { Wallet } from 'ethers'

/** Creator nodes that are asked to take an action to the chain. */
const maximumAsked = 4
/** A node judges an action by the chain, which it waits for some seconds. */
const answerWithinMs = 8_000
const tokenLifeMs = 60_000

/** What one node says of an action, the others would say too. */
const finalStatuses = [400, 409, 422]

/** Hands an action to a creator node, which pays for the chain: operators that offer no room for the music of others are
 * such. All of one listener's go to the same node first, so that they come in order.
 * @throws Problem with what the last node says, 503 when none answers */
export async function relayAction(
  { hash, signed }: { hash: Hash; signed: SignedAction },
  parts: {
    postgres: Pick<Postgres, 'query'>
    fetch: GuardedFetch
    domain: Domain
    account: Address
    key: Wallet
    now: () => number
    signal?: AbortSignal | undefined
  },
): Promise<void> {
  const { postgres, fetch, domain, account, key, now, signal } = parts
  const { rows } = await postgres.query<{ gateway: string }>(
    `SELECT gateway FROM operator WHERE active AND gateway IS NOT NULL AND capacity_bytes = 0
     ORDER BY md5(id || $1) LIMIT ${maximumAsked}`,
    [account],
  )
  let last: Problem | undefined
  for (const { gateway } of rows) {
    const { origin } = new URL(gateway)
    try {
      const response = await fetch(`${origin}/actions`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: await createToken(key, domain, {
            audience: origin,
            expiresAt: now() + tokenLifeMs,
          }),
        },
        body: JSON.stringify(signed),
        timeoutMs: answerWithinMs,
        ...(signal ? { signal } : {}),
      })
      if (response.ok) {
        await response.body?.cancel()
        return
      }
      last = await refusalOf(response, hash)
      if (finalStatuses.includes(response.status)) break
    } catch (error) {
      if (!(error instanceof FetchFailed)) throw error
    }
  }
  throw (
    last ??
    new Problem({
      status: 503,
      slug: 'no-creator-node',
      detail: 'no creator node takes it to the chain at this moment; try again soon',
      headers: { 'Retry-After': '5' },
    })
  )
}

async function refusalOf(response: Response, hash: Hash): Promise<Problem> {
  const text = await response.text()
  const told = checked(problemSchema, jsonOf(text)).data
  const detail = told?.detail ?? `a creator node answers ${response.status} to action ${hash}`
  // What it says of its own budgets and doors is nothing that the listener could do anything about here.
  const status = finalStatuses.includes(response.status) ? response.status : 503
  return new Problem({ status, slug: 'not-relayed', detail })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
