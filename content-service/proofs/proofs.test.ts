import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createApp,
  createGuardedFetch,
  finishApp,
  type GuardedFetch,
  type Listening,
  listen,
} from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { type Address, parseAddress, type Subject, subjectOf } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import type { Domain } from '@hexachord/protocol/signing'
import { createEmbeddedIpfs, type IpfsNode } from '@hexachord/storage/ipfs'
import { createNodeClient } from '@hexachord/storage/peers'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { challenge } from './challenge.ts'
import { proofRoutes, proveElsewhere } from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 1,
  verifyingContract: `0x${'cc'.repeat(20)}`,
}
const self: Address = `0x${'01'.repeat(20)}`
const subject: Subject = subjectOf(`0x${'aa'.repeat(20)}`, 1n)
const { signal } = new AbortController()
const freshKey = () => new Wallet(Wallet.createRandom().privateKey)

const toClose: (() => Promise<unknown>)[] = []
let track: TestTrack
let own: IpfsNode
let fetch: GuardedFetch
let asker: Operator
const askerKey = freshKey()
beforeEach(async () => {
  track = await makeTestTrack()
  own = await openNode()
  for (const { cid, bytes } of track.blocks) await own.putVerified(cid, bytes)
  fetch = createGuardedFetch({ allowPrivateAddresses: true })
  toClose.push(fetch.close)
  asker = operatorOf(self, 'http://127.0.0.1:1', askerKey)
})
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

async function openNode(): Promise<IpfsNode> {
  const directory = await mkdtemp(join(tmpdir(), 'hexachord-proofs-'))
  toClose.push(() => rm(directory, { recursive: true }))
  const node = await createEmbeddedIpfs({ directory, bitswap: false, logger })
  toClose.push(() => node.close())
  return node
}

function operatorOf(name: Address, endpoint: string, key: Wallet): Operator {
  return {
    ...{ operator: name, controller: name, endpoint, peerId: '0x', hotKey: parseAddress(key.address) },
    ...{ capacityBytes: 1n, exiting: false, stakeWei: 1n, active: true },
  }
}

type Holder = Operator & { readonly ipfs: IpfsNode }

/** Another operator that has the track, with a server of its own. */
async function startHolder(
  number: number,
  { state = 'held', key = freshKey(), signs = key }: { state?: string; key?: Wallet; signs?: Wallet } = {},
): Promise<Holder> {
  const ipfs = await openNode()
  for (const { cid, bytes } of track.blocks) await ipfs.putVerified(cid, bytes)
  const name: Address = `0x${String(number).padStart(2, '0').repeat(20)}`
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  let server: Listening | undefined
  app.use((request, response, next) =>
    proofRoutes({
      catalogue: {
        rules: { domain },
        operatorByHotKey: (hotKey: Address) => (asker.hotKey === hotKey ? asker : undefined),
      } as unknown as Parameters<typeof proofRoutes>[0]['catalogue'],
      audience: server?.origin ?? '',
      ...{ self: name, hotKey: signs, ipfs, now: Date.now },
      holdings: {
        get: () => ({ state }) as ReturnType<Parameters<typeof proofRoutes>[0]['holdings']['get']>,
      },
    })(request, response, next),
  )
  server = await listen(finishApp(app), { host: '127.0.0.1', port: 0, graceMs: 0 })
  toClose.push(server.close)
  return { ...operatorOf(name, server.origin, key), ipfs }
}

const dependencies = () => ({
  ...{ ipfs: own, domain, self },
  client: createNodeClient({ hotKey: askerKey, domain, fetch, now: Date.now }),
})
const asked = (holder: Operator) =>
  challenge(holder, { subject, manifest: track.manifest }, dependencies(), signal)

describe('a challenge', () => {
  test('is met by one who has every byte', async () => {
    expect(await asked(await startHolder(2))).toBeUndefined()
  })

  test('is met by an operator that leaves, and for one', async () => {
    asker = { ...asker, active: false, exiting: true }
    expect(await asked(await startHolder(2))).toBeUndefined()
    asker = { ...asker, exiting: false }
    expect(await asked(await startHolder(2))).toBe('it answers 403')
  })

  test('is not met by one who has lost the blocks that are asked for', async () => {
    const holder = await startHolder(2)
    await holder.ipfs.collect({ graceMs: -60_000 })
    expect(await asked(holder)).toBe('it answers 404')
  })

  test('is not met by one whose copy is about to go, or missing', async () => {
    expect(await asked(await startHolder(2, { state: 'releasing' }))).toBe('it answers 404')
    expect(await asked(await startHolder(3, { state: 'missing' }))).toBe('it answers 404')
  })

  test('is not met with the signature of another key', async () => {
    expect(await asked(await startHolder(2, { signs: freshKey() }))).toMatch(
      'not signed by its registered key',
    )
  })

  test('is not met by one who does not answer', async () => {
    expect(await asked(operatorOf(`0x${'02'.repeat(20)}`, 'http://127.0.0.1:1', freshKey()))).toMatch(
      'could not be fetched',
    )
  })

  test('cannot be put when the copy here is damaged', async () => {
    await own.collect({ graceMs: -60_000 })
    await expect(asked(await startHolder(2))).rejects.toThrow('is not here')
  })
})

describe('a copy is one too many', () => {
  const fault = (operators: readonly Operator[], copies = 3) =>
    proveElsewhere(
      { subject, manifest: track.manifest },
      { ...dependencies(), catalogue: { ranks: () => ({ operators, copies }) } },
      signal,
    )

  test('when three who come before this node have proved theirs', async () => {
    const holders = [await startHolder(2), await startHolder(3), await startHolder(4)]
    expect(await fault([...holders, asker])).toBeUndefined()
    expect(await fault(holders)).toBeUndefined()
  })

  test('not when one of the three has none, unless a fourth before this node has', async () => {
    const [one, two, three] = [await startHolder(2), await startHolder(3), await startHolder(4)]
    const without = await startHolder(5, { state: 'none' })
    expect(await fault([one, without, two, asker])).toMatch('2 of 3 others proved theirs')
    expect(await fault([one, without, two, three, asker])).toBeUndefined()
  })

  test('never because of one who comes after this node: it may be about to let go because of this one', async () => {
    const [one, two, three] = [await startHolder(2), await startHolder(3), await startHolder(4)]
    expect(await fault([one, two, asker, three])).toMatch('2 of 3 others proved theirs')
  })

  test('never where nobody else is', async () => {
    expect(await fault([], 0)).toBe('there is no other operator')
  })
})
