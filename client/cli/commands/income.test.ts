import { exampleTrack } from '@hexachord/protocol/vectors'
import { account, subject } from '@hexachord/sdk/fixtures'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from '../fixtures/index.ts'

// Each of many processes takes half a second of a core to start.
jest.setTimeout(60_000)

let network: Network
let user: Cli
beforeAll(async () => {
  network = await startNetwork(await exampleTrack())
  user = await newUser(network.env)
  await user.giveKey()
})
afterAll(async () => {
  await user.remove()
  await network.close()
})

test('an artist reads what was earned, in whole tokens and without a password', async () => {
  const { code, stdout } = await user('income', '--tracks')
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `2026-11-28  0.06834  ${subject}  600 units  payee ${account.address}  distributed 0.068\nmore: --after more\n`,
  })
  expect(network.discovery.requests.at(-1)).toContain(`/v1/users/${account.address}/income?as=owner`)
})

test('an operator reads its own by day, going on after a page', async () => {
  const { stdout } = await user('income', '@guido', '--operator', '--after', 'page')
  expect(stdout).toBe('2026-11-28  0.06834  1.00 hours of listening\nmore: --after more\n')
  expect(network.discovery.requests.at(-1)).toMatch(
    /\/v1\/operators\/0x\w{40}\/income\?cursor=page&limit=100$/,
  )
})
