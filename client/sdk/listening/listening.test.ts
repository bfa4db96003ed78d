import { kinds, openAction, signedActionSchema } from '@hexachord/protocol/actions'
import { verifyAppPasswordToken, verifyToken } from '@hexachord/protocol/tokens'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { Connection } from '../connect/index.ts'
import {
  account,
  answerJson,
  answerProblem,
  connectionTo,
  discoveryStatus,
  domain,
  type HttpServer,
  readBody,
  serve,
} from '../fixtures/index.ts'
import {
  allowPlayerWrites,
  createAppPassword,
  forbidPlayerWrites,
  listAppPasswords,
  revokeAppPassword,
} from './index.ts'

let providers: HttpServer[]
let connection: Connection
/** What the provider that signs for listeners may sign, as the last action says. */
let allowed: string[]
const writingKey = `0x${'77'.repeat(20)}`
/** Devices for which the second provider was asked for a password, and their nonces. */
let asked: { device: string; nonce: string }[]

beforeEach(async () => {
  asked = []
  allowed = []
  // The first one keeps no app passwords.
  const without = await serve((_, response) => answerProblem(response, 404, 'nothing is served here'))
  const keeping: HttpServer = await serve(async (request, response) => {
    const audience = keeping.origin
    const header = request.headers.authorization
    if (request.url?.startsWith('/v1/actions/')) {
      return answerJson(response, { hash: request.url.split('/').at(-1), status: 'applied' })
    }
    if (request.url === '/actions') {
      const signed = signedActionSchema.parse(JSON.parse(await readBody(request)))
      const { key, scopes } = JSON.parse(signed.content)
      expect([signed.kind, key]).toEqual([kinds.delegate.number, writingKey])
      allowed = scopes
      return answerJson(response, { hash: openAction(signed, domain).hash }, 202)
    }
    if (request.method === 'POST') {
      const { device, nonce } = verifyAppPasswordToken(header, { domain, audience, now: Date.now() })
      asked.push({ device, nonce })
      return answerJson(response, { id: 'one', username: 'guido', password: 'abcde' }, 201)
    }
    expect(verifyToken(header, { domain, audience, now: Date.now() })).toBe(account.address)
    if (request.url === '/v1/writing-key') {
      return answerJson(response, { key: writingKey, scopes: ['save', 'playlist', 'delete'], allowed })
    }
    if (request.method === 'GET') {
      const items = [{ id: 'one', device: 'radio', createdAtMs: 1, lastUsedDay: null }]
      return answerJson(response, { items, next: null })
    }
    if (request.url !== '/v1/app-passwords/one') return answerProblem(response, 404, 'there is none')
    return answerJson(response, { id: 'one', revoked: true })
  })
  providers = [without, keeping]
  connection = connectionTo({
    providers: providers.map(({ origin }) => ({ origin, status: discoveryStatus() })),
  })
})
afterEach(() => Promise.all(providers.map((provider) => provider.close())))

describe('an app password', () => {
  test('is asked for at the best provider, by a message of its own each time', async () => {
    const [without, keeping] = connection.providers
    await expect(createAppPassword(connection, account, 'radio')).rejects.toMatchObject({ status: 404 })
    const best = { ...connection, providers: [keeping, without].flatMap((one) => one ?? []) }
    expect(await createAppPassword(best, account, 'radio')).toEqual({
      ...{ id: 'one', username: 'guido', password: 'abcde', server: keeping?.origin },
    })
    await createAppPassword(best, account, 'Küche №1')
    expect(asked.map(({ device }) => device)).toEqual(['radio', 'Küche №1'])
    expect(asked[0]?.nonce).not.toBe(asked[1]?.nonce)
  })

  test('is listed with the provider that keeps it, and revoked there', async () => {
    const server = providers[1]?.origin
    expect(await listAppPasswords(connection, account)).toEqual([
      { id: 'one', device: 'radio', createdAtMs: 1, lastUsedDay: null, server },
    ])
    expect(await revokeAppPassword(connection, account, 'one')).toEqual({ server })
    await expect(revokeAppPassword(connection, account, 'two')).rejects.toMatchObject({ status: 404 })
  })
})

describe('what players change', () => {
  test('is signed by the provider from when the account allows it until it forbids it', async () => {
    const [without, keeping] = connection.providers
    const server = keeping?.origin ?? ''
    const best = {
      ...connectionTo({ discovery: server, creators: [server] }),
      providers: [keeping, without].flatMap((one) => one ?? []),
    }
    expect(await forbidPlayerWrites(best, account)).toEqual([])
    const made = await allowPlayerWrites(best, account, { days: 30 })
    expect(made).toMatchObject({ server, key: writingKey, scopes: ['save', 'playlist', 'delete'] })
    expect(Math.abs(made.expiresAtMs - Date.now() - 30 * 86_400_000)).toBeLessThan(60_000)
    expect(allowed).toEqual(['save', 'playlist', 'delete'])
    expect(await forbidPlayerWrites(best, account)).toEqual([server])
    expect(allowed).toEqual([])
  })

  test('is signed by no provider that does not offer it', async () => {
    await expect(allowPlayerWrites(connection, account)).rejects.toMatchObject({ status: 404 })
  })
})
