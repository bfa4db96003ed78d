import { exampleTrack } from '@hexachord/protocol/vectors'
import { subject } from '@hexachord/sdk/fixtures'
import type { ToldGate } from '@hexachord/sdk/premium'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from '../fixtures/index.ts'
import { describeGates } from './gate.ts'

jest.setTimeout(60_000)

let network: Network
let user: Cli
beforeAll(async () => {
  network = await startNetwork(await exampleTrack())
  user = await newUser(network.env)
})
afterAll(async () => {
  await user.remove()
  await network.close()
})

test.each([
  ['two gates', ['--follower', '--none'], 'a track has one gate'],
  ['a contract that is none', ['--holder', '0x1'], 'the gate is wrong: contract'],
  [
    'an amount that is none',
    ['--holder', `0x${'12'.repeat(20)}`, '--least', 'some'],
    'the gate is wrong: least',
  ],
  ['no token of many', ['--holder', `0x${'12'.repeat(20)}`, '--standard', 'erc1155'], '--token-id is for'],
])('hexachord gate refuses %s', async (_, options, message) => {
  const { code, stderr } = await user('gate', subject, ...options)
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
})

test('hexachord gate says of a track that is not premium that it has none', async () => {
  const { code, stderr } = await user('gate', subject)
  expect([code, stderr]).toEqual([2, expect.stringContaining('is not premium')])
})

test('hexachord gate says of each key holder what it goes by, and which has not learnt of the newest', () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((digit) => `0x${digit.repeat(40)}` as const)
  const text = describeGates([
    { operator: a, gate: { kind: 'follower' }, atMs: 1_800_000_000_000 },
    { operator: b, gate: null, atMs: 1_700_000_000_000 },
    { operator: c, gate: null },
    { operator: d, reason: 'no answer' },
  ] as ToldGate[])
  expect(text.split('\n')).toEqual([
    `${a}  followers, since 2027-01-15T08:00:00.000Z`,
    `${b}  whoever pays, since 2023-11-14T22:13:20.000Z; has not learnt of the newest yet`,
    `${c}  whoever pays; has not learnt of the newest yet`,
    `${d}  does not say: no answer`,
  ])
})
