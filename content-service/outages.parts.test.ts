import { chmod, writeFile } from 'node:fs/promises'
import { subjectOf } from '@hexachord/protocol/names'
import type { Receipt } from '@hexachord/protocol/receipts'
import { domainOf } from '@hexachord/protocol/signing'
import { startTestChain, type TestChain } from '@hexachord/storage/catalogue/fixtures'
import { makeTestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type ChainGate, startChainGate } from './fixtures/chain-gate.ts'
import { eventually } from './fixtures/eventually.ts'
import { relayed, signDelete, signTrack } from './fixtures/publish.ts'
import {
  freshAuthor,
  makeOffer,
  offerWhole,
  outcomeOf,
  sendOffer,
  startTestCreator,
} from './fixtures/test-creator.ts'
import { freePort, startTestNode, type TestNode } from './fixtures/test-node.ts'

jest.setTimeout(30_000)

let chain: TestChain
let gate: ChainGate
beforeAll(async () => {
  chain = await startTestChain()
  gate = await startChainGate(chain.rpcUrl)
}, 60_000)
afterAll(async () => {
  await gate.close()
  await chain.close()
})

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function readiness(node: TestNode) {
  const response = await fetch(`${node.endpoint}/ready`)
  const { checks } = (await response.json()) as { checks: { name: string; ok: boolean }[] }
  return { status: response.status, failing: checks.filter(({ ok }) => !ok).map(({ name }) => name) }
}

describe('a content service whose chain is away', () => {
  test('starts all the same, says what it lacks, takes no offers, and recovers by itself', async () => {
    gate.shut()
    const node = await startTestNode({ chain, env: { RPC_URL: gate.rpcUrl } })
    opened.push(node.remove)
    const port = await freePort()
    const { address: operator, hotKey } = await chain.register({
      endpoint: `http://127.0.0.1:${port}`,
      capacityBytes: 0n,
    })
    await chain.mineIntoNextEpoch()
    const creator = await startTestCreator({ domain: domainOf(chain.network), operator, hotKey, port })
    opened.push(creator.close)
    offerWhole(creator, await makeTestTrack())

    expect((await fetch(`${node.endpoint}/health`)).status).toBe(200)
    expect(await readiness(node)).toEqual({ status: 503, failing: ['chain'] })
    const { author, address } = freshAuthor()
    const offer = await makeOffer(creator, {
      domain: domainOf(chain.network),
      to: node.operator,
      subject: subjectOf(address, 1n),
      author,
    })
    const refused = await creator.client(node.endpoint, '/offers', { json: offer })
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('5')
    expect(await refused.json()).toMatchObject({ type: 'urn:hexachord:problem:catching-up' })

    gate.open()
    await eventually(async () => expect(await readiness(node)).toEqual({ status: 200, failing: [] }))
    const id = await eventually(() => sendOffer(creator, node.endpoint, offer))
    gate.shut()
    expect((await outcomeOf(node.endpoint, id)).state).toBe('held')
    expect((await readiness(node)).failing).toEqual(['chain'])
  })
})

test('a lease ends with what was published and taken back while the chain was away', async () => {
  gate.open()
  const node = await startTestNode({ chain, env: { RPC_URL: gate.rpcUrl } })
  const other = await startTestNode({ chain })
  opened.push(node.remove, other.remove)
  const port = await freePort()
  const domain = domainOf(chain.network)
  const { address: operator, hotKey } = await chain.register({
    endpoint: `http://127.0.0.1:${port}`,
    capacityBytes: 0n,
  })
  await chain.mineIntoNextEpoch()
  const creator = await startTestCreator({ domain, operator, hotKey, port })
  opened.push(creator.close)
  const track = await makeTestTrack()
  offerWhole(creator, track)
  const { author, address } = freshAuthor()
  const subject = subjectOf(address, 1n)
  const hold = async (at: TestNode): Promise<Receipt> => {
    const offer = await makeOffer(creator, { domain, to: at.operator, subject, author })
    const id = await eventually(() => sendOffer(creator, at.endpoint, offer))
    const { receipt } = await outcomeOf(at.endpoint, id)
    if (receipt === undefined) throw new Error('the track is not held')
    return receipt
  }
  const receipts = [await hold(node), await hold(other)]

  gate.shut()
  const published = await signTrack(author, domain, { subject, receipts })
  await chain.act(relayed(published))
  await chain.act(relayed(await signDelete(author, domain, { subject, prev: published.hash })))
  gate.open()
  await eventually(async () => {
    expect(await node.status()).toMatchObject({ leases: { held: 0, pulling: 0 }, held: 0 })
    const kept = await fetch(`${node.endpoint}/manifests/${track.manifest}/receipts`)
    expect(await kept.json()).toMatchObject({ items: [] })
  })
})

describe('a content service does not start', () => {
  test('on a key that others can read', async () => {
    const node = await startTestNode({ chain })
    opened.push(node.remove)
    await node.stop()
    await chmod(`${node.directory}/../hot.key`, 0o644)
    await expect(node.start()).rejects.toThrow('HOT_KEY_FILE: can be read by others')
  })

  test('on the data of another network', async () => {
    const node = await startTestNode({ chain })
    opened.push(node.remove)
    await node.stop()
    const network = { ...chain.network, firstBlock: chain.network.firstBlock + 1 }
    await writeFile(`${node.directory}/../network.json`, JSON.stringify(network))
    await expect(node.start()).rejects.toThrow('give this network a data directory of its own')
  })
})
