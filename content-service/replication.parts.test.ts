import { type Subject, subjectOf } from '@hexachord/protocol/names'
import { rankOperators } from '@hexachord/protocol/placement'
import { countCopies, type Receipt } from '@hexachord/protocol/receipts'
import { domainOf } from '@hexachord/protocol/signing'
import { startTestChain, type TestChain, testRules } from '@hexachord/storage/catalogue/fixtures'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { Wallet } from 'ethers'
import { eventually } from './fixtures/eventually.ts'
import { relayed, signTrack } from './fixtures/publish.ts'
import {
  freshAuthor,
  makeOffer,
  offerWhole,
  outcomeOf,
  sendOffer,
  startTestCreator,
  type TestCreator,
} from './fixtures/test-creator.ts'
import { freePort, startTestNode, type TestNode } from './fixtures/test-node.ts'

jest.setTimeout(120_000)

/** Quick where others are looked at; nothing else is to keep two cores busy. */
const pacing = {
  pollMs: 50,
  reconcileMs: 1_200,
  times: {
    ...{ patienceMs: 0, graceMs: 1_500, urgentStepMs: 200, everythingEveryMs: 300 },
    ...{ shedRetryMs: 1_500, shedPauseMs: 300, releaseGraceMs: 500 },
  },
}

/** Four operators with capacity: one more than there are copies. */
let chain: TestChain
let nodes: TestNode[]
let creatorPort: number
let creatorOperator: { address: `0x${string}`; hotKey: Wallet }
beforeAll(async () => {
  chain = await startTestChain()
  creatorPort = await freePort()
  creatorOperator = await chain.register({ endpoint: `http://127.0.0.1:${creatorPort}`, capacityBytes: 0n })
  nodes = []
  for (let count = 0; count < 4; count++) nodes.push(await startTestNode({ chain, pacing }))
  await nextEpoch()
}, 120_000)
afterAll(async () => {
  for (const node of nodes) await node.remove()
  await chain.close()
})

let creator: TestCreator
let author: Wallet
let subject: Subject
let track: TestTrack
beforeEach(async () => {
  creator = await startTestCreator({
    domain: domain(),
    operator: creatorOperator.address,
    hotKey: creatorOperator.hotKey,
    port: creatorPort,
  })
  const fresh = freshAuthor()
  author = fresh.author
  subject = subjectOf(fresh.address, 1n)
  track = await makeTestTrack()
})
afterEach(() => creator.close())

const domain = () => domainOf(chain.network)

async function nextEpoch(): Promise<void> {
  await chain.mineIntoNextEpoch()
  const head = await chain.head()
  await eventually(async () => {
    for (const { status } of nodes) expect((await status()).indexed).toBeGreaterThanOrEqual(head)
  })
}

/** The nodes in the order in which placement wants them to hold the subject, all with equal weights. */
function inRank(): TestNode[] {
  const operators = new Map(
    nodes.map(({ operator, endpoint, hotKey }) => [
      operator,
      {
        ...{ operator, controller: operator, endpoint, peerId: '0x' as const },
        hotKey: hotKey.address.toLowerCase() as `0x${string}`,
        ...{ capacityBytes: 2n ** 30n, exiting: false, stakeWei: 10n ** 21n, active: true },
      },
    ]),
  )
  return rankOperators(subject, operators, testRules.bytesPerToken).map((ranked) => {
    const node = nodes.find(({ operator }) => operator === ranked.operator)
    if (node === undefined) throw new Error('an operator without a node')
    return node
  })
}

async function hold(at: TestNode): Promise<Receipt> {
  const offer = await makeOffer(creator, { domain: domain(), to: at.operator, subject, author })
  const { receipt, reason } = await outcomeOf(at.endpoint, await sendOffer(creator, at.endpoint, offer))
  if (receipt === undefined) throw new Error(`no receipt: ${reason}`)
  return receipt
}

async function publish(...holders: (TestNode | undefined)[]): Promise<void> {
  offerWhole(creator, track)
  const receipts: Receipt[] = []
  for (const holder of holders) if (holder !== undefined) receipts.push(await hold(holder))
  await chain.act(relayed(await signTrack(author, domain(), { subject, receipts })))
}

async function copies(): Promise<number> {
  const operators = nodes.map(({ operator, endpoint, hotKey }) => {
    return { operator, endpoint, hotKey: hotKey.address.toLowerCase() as `0x${string}` }
  })
  const counted = await countCopies({
    ...{ subject, manifest: track.manifest, operators, domain: domain(), fetch, nowMs: Date.now() },
  })
  return counted.copies
}

const isHeldBy = async (node: TestNode | undefined) => {
  const response = await fetch(`${node?.endpoint}/manifests/${track.manifest}/receipts`)
  const { items } = (await response.json()) as { items: unknown[] }
  return items.length > 0
}

const left = new Set<string>()

async function leave(node: TestNode): Promise<void> {
  left.add(node.operator)
  await node.leave()
  await nextEpoch()
}

async function eventuallyCopies(count: number): Promise<void> {
  await eventually(async () => expect(await copies()).toBe(count), 50_000)
}

describe('a track of which', () => {
  test('one copy too few was published is brought by the operator in the ranks, and by nobody else', async () => {
    const [first, second, third, fourth] = inRank()
    await publish(first, second)
    await eventuallyCopies(3)
    expect(await isHeldBy(third)).toBe(true)
    expect(await isHeldBy(fourth)).toBe(false)
  })

  test('one copy too many was published is let go by the last in the ranks, once the others have proved theirs', async () => {
    const [, second, third, fourth] = inRank()
    await publish(second, third, fourth)
    await eventually(async () => expect(await isHeldBy(fourth)).toBe(false), 50_000)
    await eventuallyCopies(3)
  })

  test('a holder is lost is brought by the next in the ranks, who lets it go when the lost one is back', async () => {
    const [first, second, third, fourth] = inRank()
    await publish(first, second, third)
    await eventuallyCopies(3)
    await third?.stop()
    await eventually(async () => expect(await isHeldBy(fourth)).toBe(true), 50_000)
    await eventuallyCopies(3)
    await third?.start()
    await eventually(async () => expect(await isHeldBy(fourth)).toBe(false), 50_000)
    await eventuallyCopies(3)
  })

  test('two holders are lost has two copies again, and the one in reserve does not wait for its grace', async () => {
    const [first, second, third, fourth] = inRank()
    await publish(first, second, third)
    await eventuallyCopies(3)
    await Promise.all([second?.stop(), third?.stop()])
    await eventually(async () => expect(await isHeldBy(fourth)).toBe(true), 50_000)
    await Promise.all([second?.start(), third?.start()])
    await eventuallyCopies(3)
  })
})

describe('what others want to know', () => {
  test('is told to operators only', async () => {
    const [node] = nodes
    for (const [path, method] of [
      ['/holdings', 'GET'],
      ['/holdings/7', 'GET'],
      ['/holdings', 'POST'],
      ['/proofs', 'POST'],
    ]) {
      expect((await fetch(`${node?.endpoint}${path}`, { method: method ?? 'GET' })).status).toBe(401)
    }
  })

  test('is how many copies a track has in this network', async () => {
    const [node] = nodes
    expect(await node?.status()).toMatchObject({
      replication: { copies: 3, wanted: 3, reason: null },
      peers: { known: 3 },
    })
  })
})

// Last, since they change who is there.
describe('an operator', () => {
  test('that leaves serves what it holds until the others have proved that they have it', async () => {
    const [first, second, third, fourth] = inRank()
    await publish(first, second, third)
    await eventuallyCopies(3)
    if (third === undefined) throw new Error('too few nodes')
    await leave(third)
    await eventually(async () => {
      expect(await isHeldBy(fourth)).toBe(true)
      expect(await third.status()).toMatchObject({ held: 0, extra: 0 })
    }, 50_000)
    for (const stays of [first, second, fourth]) expect(await isHeldBy(stays)).toBe(true)
  })

  test('without which there are fewer than three is missed, and everybody can see why', async () => {
    const [one, other] = nodes.filter(({ operator }) => !left.has(operator))
    if (other === undefined) throw new Error('too few nodes')
    await leave(other)
    const { replication } = (await one?.status()) ?? {}
    expect(replication).toMatchObject({ copies: 2, wanted: 3 })
    expect(replication?.reason).toMatch('only 2 operators')
    const receipts = await fetch(`${one?.endpoint}/manifests/${track.manifest}/receipts`)
    expect(await receipts.json()).toMatchObject({ replication: { copies: 2, wanted: 3 } })
  })
})
