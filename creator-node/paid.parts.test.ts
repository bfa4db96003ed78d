import { eventually } from '@hexachord/platform/testing'
import { tillOfferSchema } from '@hexachord/protocol/payments'
import { type PaidChain, startPaidChain } from '@hexachord/storage/till/chain/fixtures'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { startTestNode, type TestNode } from './fixtures/test-node.ts'
import type { CreatorStatus } from './status.ts'

jest.setTimeout(30_000)

let paid: PaidChain
let node: TestNode
beforeAll(async () => {
  paid = await startPaidChain()
  node = await startTestNode(paid.chain)
}, 60_000)
afterAll(async () => {
  await node.remove()
  await paid.close()
})

async function till(): Promise<CreatorStatus['till']> {
  const status = (await (await fetch(`${node.origin}/status`)).json()) as CreatorStatus
  return status.till
}

test('a creator node takes money where the network has payments, and after a restart', async () => {
  await eventually(async () => expect(await till()).toMatchObject({ trouble: null, owed: '0', sessions: 0 }))
  const offer = tillOfferSchema.parse(await (await fetch(`${node.origin}/pay/offer`)).json())
  expect(offer).toMatchObject({ operator: node.operator, endpoint: node.origin, previewUnits: 0 })
  const name = async () => (await (await fetch(`${node.origin}/pay/till`)).json()).till
  const before = await name()
  await node.stop()
  await node.start()
  expect(await name()).toBe(before)
  const unknown = await fetch(`${node.origin}/pay/sessions/none`)
  expect([unknown.status, await unknown.json()]).toMatchObject([404, { title: 'Not Found' }])
  // Somebody who has to pay its own way sees that it is short of gas before it fails.
  await eventually(async () => expect(await till()).toMatchObject({ isShortOfGas: true, hotKeyWei: '0' }))
})
