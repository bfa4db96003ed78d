import { randomBytes } from 'node:crypto'
import { type GuardedFetch, Problem } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import {
  actionLifeSeconds,
  type Delegation,
  delegationInForce,
  delegationKey,
  identityKey,
  type Scope,
  type SignedAction,
  signAction,
} from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import type { Domain } from '@hexachord/protocol/signing'
import type { Wallet } from 'ethers'
import { readState } from '../indexing/state.ts'
import { type Applied, untilApplied } from './applied.ts'
import { relayAction } from './relay.ts'
import { writingKeyOf } from './writing-keys.ts'

/** What a player may change in a listener's name. `delete` reaches what is of another kind in scope: playlists. */
export const playerScopes = ['save', 'follow', 'playlist', 'delete'] as const satisfies readonly Scope[]

export const howToAllow =
  "to let players that use this server do so in your name, type 'hexachord app-password allow-writes'"

export type Draft = {
  readonly kind: (typeof playerScopes)[number]
  readonly subject: Subject
  readonly content: Json
}
export type Drawn = { readonly hash: Hash; readonly signed: SignedAction }

/** Signs and sends in the name of one listener. */
export type Pen = {
  /** @throws Problem 403 for a kind that the listener has not let it sign, ActionError when it is malformed */
  sign(draft: Draft): Promise<Drawn>
  /** Sends actions in order and waits a while for the index to have them. `pending`: they are on their way, and a creator
   * node keeps them until they are final.
   * @throws Problem 403 to 503 when no creator node takes them, 409 when the chain has rejected one */
  send(actions: readonly Drawn[]): Promise<Applied>
}

/** By which listeners' players write. */
export type PlayerWrites = {
  /** Address of the key that signs for a listener, if it may. */
  keyOf(account: Address): Address
  /** What it may sign at this moment; nothing, until the listener has said so on the chain. */
  scopesOf(account: Address): Promise<readonly Scope[]>
  /** @throws Problem 403 while the listener lets it sign nothing */
  open(account: Address): Promise<Pen>
}

/** @param secret 32 bytes
 * @param now ms since 1970 */
export function createPlayerWrites(parts: {
  postgres: Postgres
  secret: Buffer
  domain: Domain
  fetch: GuardedFetch
  now: () => number
  signal?: AbortSignal | undefined
}): PlayerWrites {
  const { postgres, secret, domain, now } = parts

  async function delegationOf(account: Address, key: Address): Promise<Delegation | undefined> {
    const state = await readState(postgres, [identityKey(account), delegationKey(account, key)])
    return delegationInForce({ get: (name) => state.get(name) }, account, key, now())
  }

  function penOf(account: Address, key: Wallet, scopes: readonly Scope[]): Pen {
    return {
      async sign({ kind, subject, content }) {
        if (!scopes.includes(kind)) throw notAllowed(`this server may not sign a ${kind} action for you`)
        const { hash, ...signed } = await signAction(key, domain, {
          ...{ author: account, kind, subject, content },
          nonce: BigInt(`0x${randomBytes(32).toString('hex')}`),
          deadline: Math.floor(now() / 1000) + actionLifeSeconds,
        })
        return { hash, signed }
      },
      async send(actions) {
        for (const action of actions) await relayAction(action, { ...parts, account, key })
        return untilApplied(
          postgres,
          actions.map(({ hash }) => hash),
          parts.signal,
        )
      },
    }
  }

  const addressOf = (key: Wallet) => key.address.toLowerCase() as Address
  return {
    keyOf: (account) => addressOf(writingKeyOf(secret, account)),
    async scopesOf(account) {
      const key = addressOf(writingKeyOf(secret, account))
      return (await delegationOf(account, key))?.scopes ?? []
    },
    async open(account) {
      const key = writingKeyOf(secret, account)
      const delegation = await delegationOf(account, addressOf(key))
      if (delegation === undefined) throw notAllowed('this server may not sign for you')
      return penOf(account, key, delegation.scopes)
    },
  }
}

function notAllowed(reason: string): Problem {
  return new Problem({ status: 403, slug: 'not-delegated', detail: `${reason}: ${howToAllow}` })
}
