import { writingKeySchema } from '@hexachord/protocol/rest'
import type { AccountOf } from '../app-passwords/index.ts'
import { type Route, route } from '../reading/route.ts'
import { type PlayerWrites, playerScopes } from './pen.ts'

/** `/v1/writing-key`: whom a listener lets sign when it lets its players write. */
export function writingKeyRoutes(writes: PlayerWrites, accountOf: AccountOf): Route[] {
  return [
    route({
      path: '/v1/writing-key',
      summary:
        'The key by which this server would sign what players write for the account for which the token in `Authorization` is signed; ' +
        'it may once the account has delegated the scopes to it',
      signed: 'token',
      answers: {
        200: {
          description: 'The key, what it needs, and what it may sign',
          name: 'WritingKey',
          schema: writingKeySchema,
        },
        401: {
          description:
            'The message in the header `Authorization` is missing, not valid, or not signed by who controls its account now',
        },
      },
      async answer({ authorization }) {
        const { account } = await accountOf(authorization)
        const body = {
          key: writes.keyOf(account),
          scopes: [...playerScopes],
          allowed: [...(await writes.scopesOf(account))],
        }
        return { body, freshness: 'never' }
      },
    }),
  ]
}
