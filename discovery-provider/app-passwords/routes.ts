import { clientOf, Problem } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import {
  appPasswordSchema,
  listOf,
  newAppPasswordSchema,
  revokedAppPasswordSchema,
} from '@hexachord/protocol/rest'
import type { Domain } from '@hexachord/protocol/signing'
import { openAppPasswordToken } from '@hexachord/protocol/tokens'
import * as z from 'zod'
import { type Route, route } from '../reading/route.ts'
import { createAccountOf, heldBySigner, opened } from './account-of.ts'
import { createAllowance } from './allowance.ts'
import { type AppPasswords, maximumPerAccount } from './passwords.ts'

/** Keys cost nothing, so that passwords are counted by where they are asked for, and altogether. */
const perClient = { burst: 20, refillMs: 180_000 }
const altogether = { burst: 500, refillMs: 10_000, maximumKeys: 1 }

const refusals = {
  replayed: {
    status: 409,
    slug: 'message-used',
    detail: 'this signed message has made a password already: sign a new one, with another nonce',
  },
  'too many': {
    status: 409,
    slug: 'too-many-app-passwords',
    detail: `an account has ${maximumPerAccount} app passwords at most: revoke one that is of no more use`,
  },
} as const

/**
 * `/v1/app-passwords`: made, listed and revoked by messages that whoever controls their account has signed.
 * @param audience origin of this provider, which messages must name
 * @param now ms since 1970
 */
export function appPasswordRoutes({
  appPasswords,
  postgres,
  domain,
  audience,
  now,
}: {
  appPasswords: Pick<AppPasswords, 'mint' | 'list' | 'revoke'>
  postgres: Pick<Postgres, 'query'>
  domain: Domain
  audience: string
  now: () => number
}): Route[] {
  const clients = createAllowance({ ...perClient, now })
  const all = createAllowance({ ...altogether, now })
  const expected = () => ({ domain, audience, now: now() })
  const accountOf = createAccountOf({ postgres, domain, audience, now })
  const unauthorized = {
    description:
      'The message in the header `Authorization` is missing, not valid, or not signed by who controls its account now',
  }

  return [
    route({
      method: 'post',
      path: '/v1/app-passwords',
      summary:
        'Makes a password for one device of a listener: `Authorization: Hexachord <message>`, an AppPassword signed by who controls the account',
      signed: 'app-password',
      answers: {
        201: { description: 'It is shown this once', name: 'NewAppPassword', schema: newAppPasswordSchema },
        401: unauthorized,
        409: { description: 'The message was used before, or the account has as many as it may' },
        429: { description: 'Too many were asked for from one address, or altogether' },
      },
      async answer({ authorization, address }) {
        const asked = opened(() => openAppPasswordToken(authorization, expected()))
        const held = await heldBySigner({ postgres, now }, asked)
        const client = clientOf(address)
        if (!clients.has(client) || !all.take('all')) throw tooMany()
        clients.take(client)
        const minted = await appPasswords.mint({ ...asked, held })
        if ('refusal' in minted) throw new Problem(refusals[minted.refusal])
        return { body: minted, freshness: 'never', status: 201 }
      },
    }),
    route({
      path: '/v1/app-passwords',
      summary:
        'The app passwords of the account for which the token in `Authorization` is signed, without their secrets',
      signed: 'token',
      answers: {
        200: {
          description: 'All that open something, oldest first',
          name: 'AppPasswordList',
          schema: listOf(appPasswordSchema),
        },
        401: unauthorized,
      },
      async answer({ authorization }) {
        const items = await appPasswords.list(await accountOf(authorization))
        return { body: { items, next: null }, freshness: 'never' }
      },
    }),
    route({
      method: 'delete',
      path: '/v1/app-passwords/:id',
      summary: 'Revokes an app password of the account for which the token in `Authorization` is signed',
      params: z.strictObject({
        id: z
          .string()
          .regex(/^[\w-]{1,40}$/, 'must be the id of an app password')
          .meta({ examples: ['pYd3nGq7Xk2a'] }),
      }),
      signed: 'token',
      answers: {
        200: {
          description: 'It opens nothing any more',
          name: 'RevokedAppPassword',
          schema: revokedAppPasswordSchema,
        },
        401: unauthorized,
        404: { description: 'The account has no such app password' },
      },
      async answer({ params: { id }, authorization }) {
        const { account } = await accountOf(authorization)
        if (await appPasswords.revoke(account, id)) {
          return { body: { id, revoked: true }, freshness: 'never' }
        }
        const detail = `${account} has no app password ${id} here`
        throw new Problem({ status: 404, slug: 'no-such-app-password', detail })
      },
    }),
  ]
}

function tooMany(): Problem {
  return new Problem({
    status: 429,
    slug: 'too-many-requests',
    detail: 'too many app passwords were asked for in a short time; try again later',
    headers: { 'Retry-After': '180' },
  })
}
