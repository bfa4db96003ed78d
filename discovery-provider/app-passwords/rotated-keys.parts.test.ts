import { randomBytes } from 'node:crypto'
import { type Address, userSubject } from '@hexachord/protocol/names'
import {
  appPasswordSchema,
  listOf,
  newAppPasswordSchema,
  problemSchema,
  writingKeySchema,
} from '@hexachord/protocol/rest'
import { createAppPasswordToken, createToken } from '@hexachord/protocol/tokens'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { type ServedCatalogue, serveCatalogue } from '../fixtures/served-catalogue.ts'
import { actedLog, rules } from '../fixtures/synthetic-network.ts'

const audience = 'https://discovery.example'
const weekSeconds = 7 * 86_400
const addressOf = (key: Wallet) => key.address.toLowerCase() as Address
const newKey = () => new Wallet(`0x${randomBytes(32).toString('hex')}`)

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue('chain')
})
afterAll(() => served.close())

/** The key that the account began with, which somebody has stolen by now. */
let old: Wallet
let next: Wallet
let account: Address
beforeEach(() => {
  old = newKey()
  next = newKey()
  account = addressOf(old)
})

async function rotate(by: Wallet, to: Wallet, recovery?: Wallet) {
  const prev = await served.catalogue.digestOf(userSubject(account)).catch(() => null)
  const content = { prev, controller: addressOf(to), ...(recovery ? { recovery: addressOf(recovery) } : {}) }
  await served.catalogue.put(
    actedLog({
      author: account,
      signer: addressOf(by),
      kind: 'rotate',
      subject: userSubject(account),
      content,
    }),
  )
  expect(await served.catalogue.lastVerdicts(1)).toEqual([{ verdict: 'applied', reason: null }])
}

async function later(seconds: number) {
  served.catalogue.chain.mine([], seconds)
  await served.catalogue.catchUp()
}

/** What the provider answers when the account's passwords are asked for by a key. */
async function send(by: Wallet, method: string, path = '/v1/app-passwords') {
  const asked = { account, audience, expiresAt: served.now() + 60_000 }
  const nonce = `0x${randomBytes(32).toString('hex')}` as const
  const authorization =
    method === 'POST'
      ? await createAppPasswordToken(by, rules.domain, { ...asked, nonce, device: 'radio' })
      : await createToken(by, rules.domain, asked)
  // Each from another address, so that no limit is met.
  const headers = { authorization, 'x-forwarded-for': `198.51.100.${randomBytes(1)[0]}` }
  const response = await fetch(new URL(path, served.origin), { method, headers })
  return { status: response.status, body: (await response.json()) as unknown }
}

async function made(by: Wallet) {
  const { status, body } = await send(by, 'POST')
  expect([status, body]).toEqual([201, body])
  return newAppPasswordSchema.parse(body)
}

async function listed(by: Wallet) {
  const { body } = await send(by, 'GET')
  return listOf(appPasswordSchema)
    .parse(body)
    .items.map(({ id }) => id)
}

/** Whether it opens the door to players, alone and under the account's name. */
async function opens(password: string): Promise<boolean> {
  const logins = [`apiKey=${password}`, `u=${account}&p=${password}`]
  const answers = logins.map(async (login) => {
    const response = await fetch(`${served.origin}/rest/ping?${login}&v=1.16.1&c=test`)
    return (await response.text()).includes('status="ok"')
  })
  const [alone, named] = await Promise.all(answers)
  expect(alone).toBe(named)
  return alone === true
}

async function expectRefusal(by: Wallet) {
  const { id } = await made(by === old ? next : old)
  for (const [method, path] of [
    ['POST', '/v1/app-passwords'],
    ['GET', '/v1/app-passwords'],
    ['DELETE', `/v1/app-passwords/${id}`],
    ['GET', '/v1/writing-key'],
  ] as const) {
    const { status, body } = await send(by, method, path)
    expect([method, path, status, problemSchema.parse(body).type]).toEqual([
      ...[method, path, 401, 'urn:hexachord:problem:invalid-token'],
    ])
  }
}

describe('the app passwords of an account', () => {
  test('are of its first key until that hands it on, and nobody else makes, lists or revokes them', async () => {
    const { id, password } = await made(old)
    expect(await listed(old)).toEqual([id])
    expect(await opens(password)).toBe(true)
    await expectRefusal(next)
  })

  test('are of the new key once the account is in its hands, and the old one is told so', async () => {
    await rotate(old, next)
    const { id, username, password } = await made(next)
    expect([username, await opens(password)]).toEqual([account, true])
    expect(await listed(next)).toEqual([id])
    await expectRefusal(old)
    const { body } = await send(old, 'GET')
    expect(problemSchema.parse(body).detail).toContain(`${addressOf(next)}, who controls ${account}`)
    expect((await send(next, 'DELETE', `/v1/app-passwords/${id}`)).status).toBe(200)
    expect(await opens(password)).toBe(false)
    const writing = await send(next, 'GET', '/v1/writing-key')
    expect(writingKeySchema.parse(writing.body).allowed).toEqual([])
  })

  test('end with a rotation, so that whoever stole the old key keeps none', async () => {
    const { id, password } = await made(old)
    await rotate(old, next)
    expect(await opens(password)).toBe(false)
    expect(await listed(next)).toEqual([])
    // It is gone, too, for whoever has its name.
    expect((await send(next, 'DELETE', `/v1/app-passwords/${id}`)).status).toBe(200)
  })

  test('end with a rotation to the same key, as delegations do', async () => {
    const { password } = await made(old)
    await rotate(old, old)
    expect(await opens(password)).toBe(false)
    expect(await opens((await made(old)).password)).toBe(true)
  })

  test('stay dead when the account comes back to the key that made them', async () => {
    const { password } = await made(old)
    await rotate(old, next)
    await rotate(next, old)
    expect([await opens(password), await listed(old)]).toEqual([false, []])
  })

  test('are those of the recovery from the moment on that it is in force, without another action', async () => {
    const recovery = newKey()
    await rotate(old, old, recovery)
    const { password } = await made(old)
    await rotate(recovery, next)
    await later(weekSeconds - 60)
    expect(await opens(password)).toBe(true)
    await expectRefusal(next)
    await later(60)
    expect(await opens(password)).toBe(false)
    const { id, ...own } = await made(next)
    expect([await listed(next), await opens(own.password)]).toEqual([[id], true])
    await expectRefusal(old)
    // A recovery that is asked for now changes nothing of who has it until then.
    await rotate(recovery, recovery)
    expect(await opens(own.password)).toBe(true)
  })

  test('of before a rotation do not count against the bound of those after it', async () => {
    for (let n = 0; n < 25; n += 1) await made(old)
    expect((await send(old, 'POST')).status).toBe(409)
    await rotate(old, next)
    await made(next)
    const rows = await served.catalogue.rows('app_password')
    expect(rows.filter((row) => row.account === account)).toHaveLength(1)
  })
})
