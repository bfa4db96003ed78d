import { createServer, type Server } from 'node:net'
import { createGuardedFetch, type GuardedFetch } from '@hexachord/platform/http'
import { openSqlite } from '@hexachord/platform/sqlite'
import { type Address, parseAddress, type Subject } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import { signReceipt } from '@hexachord/protocol/receipts'
import type { Domain } from '@hexachord/protocol/signing'
import { eventually, freePort } from '@hexachord/scripts/testing'
import { createNodeClient } from '@hexachord/storage/peers'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { anUpload, aTrack } from '../fixtures/an-upload.ts'
import { createUploadChanges, createUploadStore, uploadMigrations } from '../uploads/index.ts'
import { createOfferClient, type OfferClient } from './offer-client.ts'
import { type ReplicationOptions, replicateUpload } from './replicate-upload.ts'

const hotKey = new Wallet(`0x${'7'.repeat(64)}`)
const domain: Domain = {
  ...{ name: 'Hexachord', version: '1', chainId: 1 },
  verifyingContract: `0x${'c'.repeat(40)}`,
}
const silenceMs = 60
const id = 'one'

let operators: Operator[]
let offered: Address[]
let deleted: boolean
let uploads: ReturnType<typeof createUploadStore>
let changes: ReturnType<typeof createUploadChanges>
let closing: AbortController
let fetch: GuardedFetch
let blackHole: Server | undefined

beforeEach(() => {
  operators = ['a', 'b', 'c', 'd'].map((letter) => ({
    ...{ operator: `0x${letter.repeat(40)}`, controller: `0x${letter.repeat(40)}` },
    ...{ endpoint: `https://${letter}.example`, peerId: '0x00', hotKey: parseAddress(hotKey.address) },
    ...{ capacityBytes: 1n, exiting: false, stakeWei: 1n, active: true },
  }))
  offered = []
  deleted = false
  uploads = createUploadStore(openSqlite(':memory:', { migrations: uploadMigrations }), Date.now)
  const { grant } = anUpload()
  uploads.add(
    anUpload({
      ...{ state: 'replicating', track: aTrack, playable: aTrack.manifest },
      grant: { ...grant, expiresAt: Date.now() + 60_000 },
    }),
  )
  changes = createUploadChanges(uploads)
  closing = new AbortController()
  fetch = createGuardedFetch({ allowPrivateAddresses: true })
})
afterEach(async () => {
  closing.abort()
  changes.close()
  await fetch.close()
  blackHole?.close()
  blackHole = undefined
})

/** What an operator answers that has the track. */
async function held({ operator }: Operator) {
  const { durationMs: _, ...facts } = aTrack
  const receipt = await signReceipt(hotKey, domain, {
    ...{ operator, subject: anUpload().subject, ...facts },
    ...{ blockNumber: 1, validUntil: Math.floor(Date.now() / 1000) + 1_000 },
  })
  return {
    ...{ offer: `0x${'0'.repeat(64)}` as const, subject: receipt.subject, state: 'held' as const },
    ...{ blocks: 3, byteLength: 3, receipt },
  }
}

/** @param answer when an operator is asked how it stands; never, if it does not resolve */
function start(client: OfferClient): Promise<void> {
  const options: ReplicationOptions = {
    ...{ uploads, changes, hotKey, domain, now: Date.now, silenceMs, client },
    self: parseAddress(`0x${'9'.repeat(40)}`),
    publicUrl: 'https://node.example',
    takedowns: { trackDenied: () => undefined },
    catalogue: {
      accepted: () => ({ operators, copies: 3 }),
      operators: () => new Map(operators.map((one) => [one.operator, one])),
      subject: (subject: Subject) =>
        deleted
          ? {
              ...{ kind: 'track', author: anUpload().account, deleted, body: {} },
              ...{ digest: subject as never, createdAtMs: 1, updatedAtMs: 1, block: 1, logIndex: 0 },
            }
          : undefined,
    },
  }
  return replicateUpload(id, options, closing.signal)
}

/** Operators that hold whatever they are offered, but for one. */
function clientOf(exception: string, state: OfferClient['state']): OfferClient {
  return {
    async send(endpoint) {
      const found = operators.find((one) => one.endpoint === endpoint)
      if (found !== undefined) offered.push(found.operator)
      return `0x${'0'.repeat(64)}`
    },
    async state(endpoint, ...rest) {
      if (endpoint === exception) return state(endpoint, ...rest)
      const found = operators.find((one) => one.endpoint === endpoint)
      if (found === undefined) throw new Error(`nobody is at ${endpoint}`)
      return held(found)
    },
  }
}

const lettersOf = (names: readonly Address[]) => names.map((name) => name[2]).join('')
const replicas = () =>
  Object.fromEntries((uploads.get(id)?.replicas ?? []).map(({ operator, state }) => [operator[2], state]))

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason))
  })
}

test('an operator behind whose address nothing ever answers is not waited for', async () => {
  const port = await freePort()
  const connected: number[] = []
  blackHole = createServer((socket) => {
    connected.push(socket.remotePort ?? 0)
    socket.on('error', () => undefined)
  }).listen(port, '127.0.0.1')
  const [first] = operators
  if (first === undefined) throw new Error('there is no operator')
  const endpoint = `http://127.0.0.1:${port}`
  operators = [{ ...first, endpoint }, ...operators.slice(1)]
  const real = createOfferClient(createNodeClient({ hotKey, domain, fetch, now: Date.now }))
  const others = clientOf('', real.state)
  const startedMs = performance.now()
  await start({
    send: (to, ...rest) => (to === endpoint ? real.send(to, ...rest) : others.send(to, ...rest)),
    state: others.state,
  })
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(silenceMs - 5)
  expect(connected.length).toBeGreaterThan(0)
  expect(uploads.get(id)?.state).toBe('ready')
  expect(lettersOf(offered)).toBe('bcd')
  expect(replicas()).toMatchObject({ b: 'held', c: 'held', d: 'held' })
})

test('an operator that says nothing for a while is still taken when it answers before the next in rank', async () => {
  const [first, , , last] = operators
  if (first === undefined || last === undefined) throw new Error('there are four operators')
  const woken = Promise.withResolvers<void>()
  const client = clientOf(first.endpoint, async () => {
    await woken.promise
    return held(first)
  })
  const running = start({
    send: client.send,
    // The next in rank takes its time.
    state: (endpoint, offer, waitMs, signal) =>
      endpoint === last.endpoint ? untilAborted(signal) : client.state(endpoint, offer, waitMs, signal),
  })
  await eventually(() => offered.includes(last.operator), {
    ...{ describe: 'the next in rank is asked', deadlineMs: 5_000 },
  })
  expect(uploads.get(id)?.state).toBe('replicating')
  woken.resolve()
  await running
  expect(uploads.get(id)?.state).toBe('ready')
  expect(replicas()).toMatchObject({ a: 'held', b: 'held', c: 'held', d: 'pulling' })
})

test('a track that is deleted while it is replicated fails as such, and nobody is asked any more', async () => {
  let stopped = 0
  const running = start({
    ...clientOf('', () => Promise.reject(new Error('nobody is asked twice'))),
    async state(_endpoint, _offer, _waitMs, signal) {
      signal.addEventListener('abort', () => {
        stopped += 1
      })
      return untilAborted(signal)
    },
  })
  await eventually(() => Object.values(replicas()).filter((state) => state === 'pulling').length >= 3, {
    ...{ describe: 'three operators pull', deadlineMs: 4_000 },
  })
  deleted = true
  uploads.change(id, () => ({ notes: ['something happens'] }))
  await running
  expect(uploads.get(id)).toMatchObject({ state: 'failed', failure: { problem: 'deleted' } })
  expect(stopped).toBeGreaterThanOrEqual(3)
})
