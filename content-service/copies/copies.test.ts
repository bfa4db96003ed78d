import {
  createApp,
  createGuardedFetch,
  finishApp,
  type GuardedFetch,
  type Listening,
  listen,
} from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { cidOf } from '@hexachord/protocol/cids'
import { type Address, parseAddress, type Subject, subjectOf } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import {
  bucketDigest,
  bucketOf,
  compareHeld,
  type HeldTrack,
  holdingBuckets,
} from '@hexachord/protocol/receipts'
import type { Domain } from '@hexachord/protocol/signing'
import { createNodeClient } from '@hexachord/storage/peers'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import { createHoldingStore, type HoldingStore, holdingMigrations } from '../duty/index.ts'
import { eventually } from '../fixtures/eventually.ts'
import {
  type CopyStore,
  copyMigrations,
  createCopyStore,
  createKnownCopies,
  createOwnListings,
  createReconciler,
  holdingRoutes,
  type Reconciler,
} from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 1,
  verifyingContract: `0x${'cc'.repeat(20)}`,
}
const self: Address = `0x${'01'.repeat(20)}`
const other: Address = `0x${'02'.repeat(20)}`
const hotKey = new Wallet(Wallet.createRandom().privateKey)
const manifests = await Promise.all(
  Array.from({ length: 40 }, (_, index) => cidOf(Uint8Array.of(index), 'dag-json')),
)

function operator(name: Address, endpoint: string, key: Wallet): Operator {
  return {
    ...{ operator: name, controller: name, endpoint, peerId: '0x', hotKey: parseAddress(key.address) },
    ...{ capacityBytes: 1n, exiting: false, stakeWei: 1n, active: true },
  }
}

const track = (number: number): HeldTrack => ({
  subject: subjectOf(other, BigInt(number + 1)),
  manifest: manifests[number % manifests.length] ?? '',
})

/** The other operator: what it holds, and how often each path of it was asked for. */
let held: HoldingStore
let asked: string[]
let status: number
let server: Listening
let fetch: GuardedFetch
let database: Sqlite
let copies: CopyStore
let changed: Subject[]
let away: Address[]
let reconciler: Reconciler
let operators: Map<Address, Operator>
beforeEach(async () => {
  database = openSqlite(':memory:', { migrations: [...copyMigrations, ...holdingMigrations] })
  held = createHoldingStore(database)
  copies = createCopyStore(database)
  ;[asked, changed, away, status] = [[], [], [], 200]
  fetch = createGuardedFetch({ allowPrivateAddresses: true })
  operators = new Map([[self, operator(self, 'http://127.0.0.1:1', hotKey)]])
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  app.use((request, response, next) => {
    asked.push(`${request.method} ${request.path}`)
    if (status === 200) next()
    else response.status(status).end()
  })
  let origin = ''
  const catalogue = {
    rules: { domain },
    operatorByHotKey: (key: Address) => [...operators.values()].find((one) => one.hotKey === key),
    ranks: () => ({ operators: [...operators.values()], copies: 2 }),
  }
  app.use((request, response, next) =>
    holdingRoutes({
      catalogue: catalogue as unknown as Parameters<typeof holdingRoutes>[0]['catalogue'],
      audience: origin,
      listings: createOwnListings({ holdings: held, catalogue, now: Date.now, listingMs: 0 }),
      holdings: held,
      receipts: { get: () => ({}) as ReturnType<Parameters<typeof holdingRoutes>[0]['receipts']['get']> },
      isBringing: () => false,
      now: Date.now,
    })(request, response, next),
  )
  server = await listen(finishApp(app), { host: '127.0.0.1', port: 0, graceMs: 0 })
  origin = server.origin
  operators.set(other, operator(other, origin, new Wallet(Wallet.createRandom().privateKey)))
  reconciler = createReconciler({
    ...{ catalogue: { operators: () => operators }, copies, self, logger, now: Date.now, everyMs: 40 },
    client: createNodeClient({ hotKey, domain, fetch, now: Date.now }),
    onCopies: (subjects) => changed.push(...subjects),
    onAway: (name) => away.push(name),
  })
})
afterEach(async () => {
  await reconciler.close()
  await fetch.close()
  await server.close()
  database.close()
})

function hold(number: number): void {
  const { subject, manifest } = track(number)
  held.put({
    ...{ subject, manifest, byteLength: 1, state: 'held', extra: false, urgency: 0 },
    ...{ dueAt: 0, attempts: 0, reason: null },
  })
}

const isKnown = (number: number) => {
  const { subject, manifest } = track(number)
  return copies.holders(subject, manifest).includes(other)
}

describe('what another operator holds', () => {
  test('is learnt without asking for tracks one by one, and read again only where it has changed', async () => {
    for (let number = 0; number < 30; number++) hold(number)
    await eventually(() => expect(Array.from({ length: 30 }, (_, n) => isKnown(n))).not.toContain(false))
    expect(new Set(changed).size).toBe(30)
    await eventually(() => expect(reconciler.learntAt(other)).toBeDefined())
    asked.length = 0
    hold(30)
    const { subject, manifest } = track(0)
    held.remove(subject, manifest)
    await eventually(() => expect([isKnown(30), isKnown(0)]).toEqual([true, false]))
    const buckets = [bucketOf(track(30).manifest), bucketOf(manifest)]
    const read = asked.filter((path) => path.startsWith('GET /holdings/'))
    expect(new Set(read)).toEqual(new Set(buckets.map((bucket) => `GET /holdings/${bucket}`)))
  })

  test('is no reason to read anything when nothing has changed', async () => {
    hold(1)
    await eventually(() => expect(isKnown(1)).toBe(true))
    await eventually(() => expect(reconciler.learntAt(other)).toBeDefined())
    asked.length = 0
    await eventually(() => expect(asked.length).toBeGreaterThan(2))
    expect(new Set(asked)).toEqual(new Set(['GET /holdings']))
  })

  test('counts as away after it has not answered twice, and comes back', async () => {
    const copiesOf = createKnownCopies({
      ...{ catalogue: { operators: () => operators }, copies, reconciler, self, settleMs: 0 },
    })
    hold(1)
    const published = { ...track(1), operators: [], updatedAtMs: 0 }
    await eventually(() => expect(copiesOf(published).live).toEqual([other]))
    status = 500
    await eventually(() => expect(away).toEqual([other]))
    expect(copiesOf(published)).toEqual({ holders: [other], live: [] })
    expect(reconciler.counts()).toEqual({ known: 1, answering: 0 })
    status = 200
    await eventually(() => expect(copiesOf(published).live).toEqual([other]))
    expect(away).toEqual([other, other])
  })

  test('is taken from the receipts of a track that was published after the last look', async () => {
    await eventually(() => expect(reconciler.learntAt(other)).toBeDefined())
    const copiesOf = createKnownCopies({
      ...{ catalogue: { operators: () => operators }, copies, reconciler, self, settleMs: 60_000 },
    })
    const published = { ...track(1), operators: [self, other], updatedAtMs: Date.now() }
    expect(copiesOf(published).live).toEqual([other])
    expect(copiesOf({ ...published, updatedAtMs: 0 }).live).toEqual([])
  })

  test('is forgotten with the operator', async () => {
    hold(1)
    await eventually(() => expect(isKnown(1)).toBe(true))
    operators.delete(other)
    operators.set(`0x${'03'.repeat(20)}`, operator(`0x${'03'.repeat(20)}`, 'http://127.0.0.1:1', hotKey))
    await eventually(() => expect(isKnown(1)).toBe(false))
  })
})

test('digests differ exactly when listings do, and buckets hold all that is held', async () => {
  const tracks = fc.uniqueArray(fc.nat(39), { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(tracks, tracks, async (one, another) => {
      const listed = (numbers: number[]) => numbers.map(track).sort(compareHeld)
      const same = JSON.stringify(listed(one)) === JSON.stringify(listed(another))
      expect((await bucketDigest(listed(one))) === (await bucketDigest(listed(another)))).toBe(same)
      for (const { manifest } of listed(one)) expect(bucketOf(manifest)).toBeLessThan(holdingBuckets)
    }),
    { numRuns: 50 },
  )
})
