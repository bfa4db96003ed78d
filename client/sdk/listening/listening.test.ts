import { kinds, openAction, signedActionSchema } from '@hexachord/protocol/actions'
import { type Address, userSubject } from '@hexachord/protocol/names'
import { openAppPasswordToken, openToken } from '@hexachord/protocol/tokens'
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
/** Whose passwords they are. */
let owner: Address
const rotated: Address = `0x${'a1'.repeat(20)}`

beforeEach(async () => {
  asked = []
  allowed = []
  owner = account.address
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
      expect([signed.author, signed.subject]).toEqual([owner, userSubject(owner)])
      allowed = scopes
      return answerJson(response, { hash: openAction(signed, domain).hash }, 202)
    }
    if (request.method === 'POST') {
      const { device, nonce, ...claim } = openAppPasswordToken(header, { domain, audience, now: Date.now() })
      expect([claim.account, claim.signer]).toEqual([owner, account.address])
      asked.push({ device, nonce })
      return answerJson(response, { id: 'one', username: 'guido', password: 'abcde' }, 201)
    }
    expect(openToken(header, { domain, audience, now: Date.now() })).toEqual({
      ...{ account: owner, signer: account.address },
    })
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
  test('is asked for at the best provider that keeps any, by a message of its own each time', async () => {
    const server = providers[1]?.origin
    expect(await createAppPassword(connection, account, 'radio')).toEqual({
      ...{ id: 'one', username: 'guido', password: 'abcde', server },
    })
    await createAppPassword(connection, account, 'Küche №1')
    expect(asked.map(({ device }) => device)).toEqual(['radio', 'Küche №1'])
    expect(asked[0]?.nonce).not.toBe(asked[1]?.nonce)
  })

  test('is made nowhere when no provider keeps any, and at no other one when the best may have made it', async () => {
    const [without, keeping] = connection.providers.map((provider) => [provider])
    const none = { ...connection, providers: without ?? [] }
    await expect(createAppPassword(none, account, 'radio')).rejects.toMatchObject({ status: 404 })
    const breaking = await serve((_, response) => answerProblem(response, 500, 'it broke'))
    providers.push(breaking)
    const best = { origin: breaking.origin, status: discoveryStatus() }
    const broken = { ...connection, providers: [best, ...(keeping ?? [])] }
    await expect(createAppPassword(broken, account, 'radio')).rejects.toMatchObject({ status: 500 })
    expect(asked).toEqual([])
  })

  test('of an author whose keys were rotated to the account is made, listed and revoked for that author', async () => {
    owner = rotated
    const options = { author: rotated }
    const { server, id } = await createAppPassword(connection, account, 'radio', options)
    expect(await listAppPasswords(connection, account, options)).toMatchObject([{ id, server }])
    expect(await revokeAppPassword(connection, account, id, options)).toEqual({ server })
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
  test.each([
    ['the account', account.address],
    ['an author whose keys were rotated to it', rotated],
  ])(
    'is signed by the best provider that offers it from when %s allows it until it forbids it',
    async (_, author) => {
      owner = author
      const server = providers[1]?.origin ?? ''
      const options = author === account.address ? {} : { author }
      const writing = {
        ...connectionTo({ discovery: server, creators: [server] }),
        providers: connection.providers,
      }
      expect(await forbidPlayerWrites(writing, account, options)).toEqual([])
      const made = await allowPlayerWrites(writing, account, { ...options, days: 30 })
      expect(made).toMatchObject({ server, key: writingKey, scopes: ['save', 'playlist', 'delete'] })
      expect(Math.abs(made.expiresAtMs - Date.now() - 30 * 86_400_000)).toBeLessThan(60_000)
      expect(allowed).toEqual(['save', 'playlist', 'delete'])
      expect(await forbidPlayerWrites(writing, account, options)).toEqual([server])
      expect(allowed).toEqual([])
    },
  )

  test('is signed by nobody where no provider offers it', async () => {
    const none = { ...connection, providers: connection.providers.slice(0, 1) }
    await expect(allowPlayerWrites(none, account)).rejects.toMatchObject({ status: 404 })
  })
})
