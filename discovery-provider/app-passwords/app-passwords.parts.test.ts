import { createHash } from 'node:crypto'
import type { Address, Hash } from '@hexachord/protocol/names'
import {
  appPasswordSchema,
  listOf,
  type NewAppPassword,
  newAppPasswordSchema,
  problemSchema,
} from '@hexachord/protocol/rest'
import { createAppPasswordToken, createToken } from '@hexachord/protocol/tokens'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { type ServedCatalogue, serveCatalogue } from '../fixtures/served-catalogue.ts'
import { rules } from '../fixtures/synthetic-network.ts'

const audience = 'https://discovery.example'
const wallet = new Wallet(`0x${'2e'.repeat(32)}`)
const listener = wallet.address.toLowerCase() as Address

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
})
afterAll(() => served.close())

let nonces = 0n
function freshNonce(): Hash {
  nonces += 1n
  return `0x${nonces.toString(16).padStart(64, '0')}`
}

function asking(
  change: { device?: string; nonce?: Hash; expiresAt?: number; audience?: string } = {},
  by = wallet,
) {
  const expiresAt = Date.now() + 60_000
  return createAppPasswordToken(by, rules.domain, {
    ...{ audience, device: 'radio', nonce: freshNonce(), expiresAt },
    ...change,
  })
}
const token = (by = wallet) => createToken(by, rules.domain, { audience, expiresAt: Date.now() + 60_000 })

/** @param address for whom a proxy says that it asks */
async function send(method: string, path: string, authorization?: string, address = '192.0.2.1') {
  const headers = { 'x-forwarded-for': address, ...(authorization ? { authorization } : {}) }
  const response = await fetch(`${served.origin}/v1/app-passwords${path}`, { method, headers })
  return { status: response.status, body: (await response.json()) as unknown }
}

async function made(authorization: string, address?: string): Promise<NewAppPassword> {
  const { status, body } = await send('POST', '', authorization, address)
  expect([status, body]).toEqual([201, body])
  return newAppPasswordSchema.parse(body)
}

async function listed(by = wallet) {
  const { body } = await send('GET', '', await token(by))
  return listOf(appPasswordSchema).parse(body).items
}

/** Whether it opens the door to players. */
async function opens(password: string): Promise<boolean> {
  const response = await fetch(`${served.origin}/rest/ping?apiKey=${password}&v=1.16.1&c=test`)
  return (await response.text()).includes('status="ok"')
}

const database = () => served.catalogue.database.postgres

describe('an app password', () => {
  test('is made for a device, opens, is listed without its secret, and opens no more when it is revoked', async () => {
    const kitchen = await made(await asking({ device: 'Küche 🎧' }))
    const car = await made(await asking({ device: 'car' }))
    expect(kitchen.username).toBe(listener)
    expect(kitchen.password).toMatch(/^[a-km-np-z2-9]{5}(-[a-km-np-z2-9]{5}){4}$/)
    expect(await listed()).toEqual([
      { id: kitchen.id, device: 'Küche 🎧', createdAtMs: expect.any(Number), lastUsedDay: null },
      { id: car.id, device: 'car', createdAtMs: expect.any(Number), lastUsedDay: null },
    ])
    expect(await opens(kitchen.password)).toBe(true)
    expect((await listed())[0]?.lastUsedDay).toBe(new Date().toISOString().slice(0, 10))

    expect(await send('DELETE', `/${kitchen.id}`, await token())).toEqual({
      status: 200,
      body: { id: kitchen.id, revoked: true },
    })
    expect([await opens(kitchen.password), await opens(car.password)]).toEqual([false, true])
    expect((await send('DELETE', `/${kitchen.id}`, await token())).status).toBe(404)
    expect((await listed()).map(({ id }) => id)).toEqual([car.id])
  })

  test('is in the database in no form that gives it away', async () => {
    const { password } = await made(await asking())
    const { rows } = await database().query<{ row: string }>('SELECT a::text AS row FROM app_password a')
    const text = rows.map(({ row }) => row).join('\n')
    for (const secret of [
      password,
      Buffer.from(password).toString('hex'),
      ...['md5', 'sha1', 'sha256'].map((name) => createHash(name).update(password).digest('hex')),
    ]) {
      expect(text).not.toContain(secret)
    }
  })

  test('is made once by one message, even after it was revoked', async () => {
    const message = await asking()
    const answers = await Promise.all(Array.from({ length: 4 }, () => send('POST', '', message)))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409])
    const { id } = newAppPasswordSchema.parse(answers.find(({ status }) => status === 201)?.body)
    await send('DELETE', `/${id}`, await token())
    expect(problemSchema.parse((await send('POST', '', message)).body).type).toBe(
      'urn:hexachord:problem:message-used',
    )
  })

  test.each([
    ['no message', async () => undefined, /missing/],
    ['a token that is only good for reading them', () => token(), /malformed/],
    ['a message for another provider', () => asking({ audience: 'https://other.example' }), /this node is/],
    ['a message that has expired', () => asking({ expiresAt: Date.now() - 60_000 }), /expired/],
  ])('is not made by %s', async (_, message, detail) => {
    const { status, body } = await send('POST', '', await message())
    expect(status).toBe(401)
    expect(problemSchema.parse(body).detail).toMatch(detail)
  })

  test("is nobody else's to see or to revoke", async () => {
    const stranger = new Wallet(`0x${'3e'.repeat(32)}`)
    const { id, password } = await made(await asking())
    expect(await listed(stranger)).toEqual([])
    expect((await send('DELETE', `/${id}`, await token(stranger))).status).toBe(404)
    expect(await opens(password)).toBe(true)
    // A message that makes passwords revokes none.
    expect((await send('DELETE', `/${id}`, await asking())).status).toBe(401)
  })

  test('is one of a bounded number, for an account and for those behind one address', async () => {
    const many = new Wallet(`0x${'4e'.repeat(32)}`)
    const statuses = new Map<number, number>()
    for (let n = 0; n < 27; n += 1) {
      const { status } = await send('POST', '', await asking({}, many), `198.51.100.${n}`)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    expect(Object.fromEntries(statuses)).toEqual({ 201: 25, 409: 2 })

    const address = '203.0.113.9'
    for (let n = 0; n < 20; n += 1) {
      await made(await asking({}, new Wallet(`0x${String(n + 10).padStart(64, '0')}`)), address)
    }
    const refused = await send('POST', '', await asking(), address)
    expect([refused.status, problemSchema.parse(refused.body).type]).toEqual([
      429,
      'urn:hexachord:problem:too-many-requests',
    ])
  })
})

test('neither passwords nor tokens are in the log, however they come', async () => {
  const { password } = await made(await asking({}, new Wallet(`0x${'5e'.repeat(32)}`)), '198.51.100.200')
  await fetch(`${served.origin}/rest/ping?u=${listener}&p=${password}&v=1.16.1&c=test`)
  await fetch(`${served.origin}/rest/ping?apiKey=${password}&v=1.16.1&c=test`)
  await fetch(`${served.origin}/rest/ping?u=${listener}&t=0123456789abcdef&s=salt&v=1.16.1&c=test`)
  await fetch(`${served.origin}/rest/nothing?apiKey=${password}`)
  const log = served.log()
  expect(log).toContain('/rest/ping')
  for (const secret of [password, '0123456789abcdef', listener]) expect(log).not.toContain(secret)
})
