import { RpcUnavailable } from '@hexachord/platform/chain'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { type KindName, openAction, signAction, subjectKey } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { rulesOf } from '@hexachord/protocol/catalogue'
import { type Address, type Hash, parseAddress, type Subject, subjectOf } from '@hexachord/protocol/names'
import type { Catalogue, CatalogueChange } from '@hexachord/storage/catalogue'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import { budgetMigrations, createBudgets } from '../admission/index.ts'
import { anUpload, aTrack } from '../fixtures/an-upload.ts'
import type { Upload } from '../uploads/index.ts'
import { createHeldActions, heldActionMigrations } from './held-actions.ts'
import { faultOfUpload, type HoldOptions, holdAction, maximumHeldPerAccount } from './hold-action.ts'
import { createReleaser, type Releaser } from './release-held.ts'

const minute = 60_000
const day = 1_440 * minute
const startMs = 1_800_000_000_000
const artist = new Wallet(`0x${'22'.repeat(32)}`)
const author = parseAddress(artist.address)
const playlist = subjectOf(author, 5n)

const rules = rulesOf({
  ...{ chainId: 31_337, finalityBlocks: 2, epochBlocks: 16, bytesPerToken: '1', minimumStakeWei: '1' },
  contracts: {
    catalog: `0x${'0a'.repeat(20)}`,
    operatorRegistry: `0x${'0b'.repeat(20)}`,
    stakeVault: `0x${'0c'.repeat(20)}`,
  },
})

let nowMs: number
let isChainAway: boolean
let epoch: number
let usedNonces: boolean
let sent: Hash[]
let entries: Map<string, Json>
let uploads: Upload[]
let tell: (change: CatalogueChange) => void
let options: HoldOptions
let releaser: Releaser

beforeEach(() => {
  ;[nowMs, epoch, isChainAway, usedNonces, sent, entries, uploads] = [
    startMs,
    1,
    false,
    false,
    [],
    new Map(),
    [],
  ]
  const database = openSqlite(':memory:', { migrations: [...budgetMigrations, ...heldActionMigrations] })
  const now = () => nowMs
  const most = { perDay: 1e12, perAccount: 1e12 }
  const allowances = { bytes: most, gas: most, actions: { perDay: 1_000, perAccount: 500 } }
  const catalogue = {
    rules,
    entry: (key: string) => entries.get(key),
    operatorsAt: () => new Map(),
    indexed: () => 9,
    behind: () => 0,
    epoch: () => epoch,
    caughtUp: async () => {
      if (isChainAway) throw new RpcUnavailable('nobody answers')
    },
    subject: () => undefined,
    action: () => undefined,
    onChange: (listener: typeof tell) => {
      tell = listener
      return () => undefined
    },
  } as unknown as Catalogue
  options = {
    ...{ database, catalogue, now, held: createHeldActions(database) },
    uploads: { bySubject: () => uploads },
    reader: { call: async () => `0x${'0'.repeat(63)}${usedNonces ? '1' : '0'}` },
    sender: {
      enqueue: ({ id }) => {
        sent.push(id as Hash)
        return { id, state: 'queued', hash: null, blockNumber: null, reason: null }
      },
      status: (id) =>
        sent.includes(id as Hash)
          ? { id, state: 'queued', hash: null, blockNumber: null, reason: null }
          : null,
      retry: () => false,
    },
    gate: { policy: 'open', mayPublish: () => true, refusal: () => new Error('never') as never },
    budgets: createBudgets({ database, allowances, now }),
  }
  start()
})
afterEach(() => releaser.close())

/** As the node does, also after a crash. */
function start(): void {
  const logger = createLogger({ service: 'test', level: 'silent' })
  releaser = createReleaser({ ...options, logger, retryMs: day })
}

type Change = { subject?: Subject; kind?: KindName; content?: Json; signer?: Wallet; deadlineMs?: number }

async function sign(change: Change = {}) {
  const { hash, ...action } = await signAction(change.signer ?? artist, rules.domain, {
    author,
    kind: change.kind ?? 'playlist',
    subject: change.subject ?? playlist,
    content: change.content ?? { prev: null, title: 'Later', album: true, add: [] },
    nonce: BigInt(Wallet.createRandom().privateKey),
    deadline: Math.floor((change.deadlineMs ?? nowMs + 37 * day) / 1_000),
  })
  return { hash, action }
}

async function hold(holdUntilMs: number, change: Change = {}, account: Address = author) {
  const { action } = await sign(change)
  return holdAction({ action, holdUntilMs }, account, options)
}

const stateOf = (hash: Hash) => options.held.get(hash)
const actionsToday = () => options.budgets.spentToday('actions')

describe('an action that is held back', () => {
  test('is sent at its time, not before, and once', async () => {
    const { hash } = await hold(startMs + day)
    nowMs = startMs + day - 1
    await releaser.look()
    expect(sent).toEqual([])
    nowMs = startMs + day
    await releaser.look()
    await releaser.look()
    expect(sent).toEqual([hash])
    expect(stateOf(hash)).toMatchObject({ state: 'sent' })
  })

  test('is sent at once when its time came while the node was away', async () => {
    const { hash } = await hold(startMs + day)
    await releaser.close()
    nowMs = startMs + 4 * day
    start()
    await releaser.look()
    expect(sent).toEqual([hash])
  })

  test('is not sent again after a crash between the outbox and the note of it', async () => {
    const { hash } = await hold(startMs + day)
    sent.push(hash)
    nowMs = startMs + day
    await releaser.look()
    expect([sent, stateOf(hash)?.state]).toEqual([[hash], 'sent'])
  })

  test('waits on while the chain is away, and then goes', async () => {
    const { hash } = await hold(startMs + day)
    nowMs = startMs + day
    isChainAway = true
    await releaser.look()
    expect([sent, stateOf(hash)?.state]).toEqual([[], 'waiting'])
    isChainAway = false
    await releaser.look()
    expect(sent).toEqual([hash])
  })

  test('is refused when it is signed for a time that is past, and its account gets nothing twice', async () => {
    const { hash } = await hold(startMs + day, { deadlineMs: startMs + 2 * day })
    nowMs = startMs + 3 * day
    await releaser.look()
    expect(sent).toEqual([])
    expect(stateOf(hash)).toMatchObject({ state: 'refused', reason: expect.stringContaining('past') })
  })

  test('is told to be outdated as soon as indexers would refuse it, and refused at its time', async () => {
    const { hash } = await hold(startMs + day)
    // Somebody has published under this number meanwhile.
    entries.set(subjectKey(playlist), { kind: 'track', author, digest: hash, deleted: false, body: {} })
    tell({ subjects: [playlist], actions: [], operators: false, ranks: false, reorganised: false })
    await releaser.look()
    expect(stateOf(hash)).toMatchObject({ state: 'outdated', reason: expect.stringMatching(/./) })
    nowMs = startMs + day
    await releaser.look()
    expect([sent, stateOf(hash)?.state]).toEqual([[], 'refused'])
  })

  test('is judged when an epoch begins, with which the turn of operators may be over', async () => {
    const { hash } = await hold(startMs + day)
    await releaser.look()
    entries.set(subjectKey(playlist), { kind: 'track', author, digest: hash, deleted: false, body: {} })
    await releaser.look()
    expect(stateOf(hash)?.state).toBe('waiting')
    epoch += 1
    await releaser.look()
    expect(stateOf(hash)?.state).toBe('outdated')
  })

  test('waits again when what was wrong with it is over', async () => {
    const { hash } = await hold(startMs + day)
    entries.set(subjectKey(playlist), { kind: 'track', author, digest: hash, deleted: false, body: {} })
    nowMs += 11 * minute
    await releaser.look()
    expect(stateOf(hash)?.state).toBe('outdated')
    entries.clear()
    nowMs += 11 * minute
    await releaser.look()
    expect(stateOf(hash)).toMatchObject({ state: 'waiting' })
    expect(stateOf(hash)).not.toHaveProperty('reason')
  })

  test('gives its place to a newer one of the same subject, and what it was counted with back', async () => {
    const first = await hold(startMs + day)
    const second = await hold(startMs + 2 * day)
    expect(stateOf(first.hash)).toBeUndefined()
    expect(actionsToday()).toBe(1)
    nowMs = startMs + 3 * day
    await releaser.look()
    expect(sent).toEqual([second.hash])
  })

  test('may be given any number of times', async () => {
    const { action } = await sign()
    const give = () => holdAction({ action, holdUntilMs: startMs + day }, author, options)
    const [one, other] = [await give(), await give()]
    expect(other).toEqual(one)
    expect(actionsToday()).toBe(1)
    nowMs = startMs + day
    await releaser.look()
    await expect(give()).resolves.toMatchObject({ state: 'sent' })
  })

  test('is forgotten a month after it was sent', async () => {
    const { hash } = await hold(startMs + day)
    nowMs = startMs + day
    await releaser.look()
    nowMs += 29 * day
    await releaser.look()
    expect(stateOf(hash)).toBeDefined()
    nowMs += 2 * day
    await releaser.look()
    expect(stateOf(hash)).toBeUndefined()
  })

  test('goes with others in the order of their times, whatever comes between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ number: fc.integer({ min: 1, max: 6 }), inMs: fc.integer({ min: 1, max: day }) }),
        ),
        fc.array(fc.integer({ min: 0, max: day }), { maxLength: 5 }),
        async (given, looks) => {
          ;[nowMs, sent] = [startMs, []]
          for (const { hash } of options.held.of(author)) options.held.remove(hash)
          const last = new Map<Subject, { hash: Hash; at: number; order: number }>()
          for (const [order, { number, inMs }] of given.entries()) {
            const subject = subjectOf(author, BigInt(number))
            const { hash } = await hold(startMs + inMs, { subject })
            last.set(subject, { hash, at: startMs + inMs, order })
          }
          const wanted = [...last.values()].sort((a, b) => a.at - b.at || a.order - b.order)
          for (const at of [...looks.sort((a, b) => a - b), day]) {
            nowMs = startMs + at
            await releaser.look()
            expect(sent).toEqual(wanted.filter((one) => one.at <= nowMs).map(({ hash }) => hash))
          }
        },
      ),
      { numRuns: 15 },
    )
  }, 30_000)
})

describe('an action is not taken into keeping', () => {
  const subject = subjectOf(author, 9n)
  const track: Change = {
    ...{ kind: 'track', subject },
    content: {
      ...{ prev: null, ...aTrack, title: 'Later', artist: 'Guido', licence: 'CC0-1.0', rightsHeld: true },
      receipts: [],
    },
  }

  test.each<[string, number, Change, number, string]>([
    ['whose time is past', startMs, {}, 400, 'release-past'],
    ['that is over a month ahead', startMs + 30 * day + 1, {}, 400, 'release-too-far'],
    [
      'that is not good for long enough',
      startMs + day,
      { deadlineMs: startMs + day + 59 * minute },
      400,
      'deadline-too-early',
    ],
    [
      'that is no release',
      startMs + day,
      { kind: 'delete', subject, content: { prev: `0x${'1'.repeat(64)}` } },
      400,
      'not-a-release',
    ],
    ['that indexers would refuse', startMs + day, track, 422, 'missing-receipts'],
    [
      'of another author',
      startMs + day,
      { signer: new Wallet(`0x${'33'.repeat(32)}`) },
      403,
      'not-the-signer',
    ],
  ])('%s', async (_, holdUntilMs, change, status, slug) => {
    await expect(hold(holdUntilMs, change)).rejects.toMatchObject({ status, slug })
    expect(options.held.countWaiting()).toBe(0)
    expect(actionsToday()).toBe(0)
  })

  test('whose nonce was used, while the chain is away, or that was sent before', async () => {
    usedNonces = true
    await expect(hold(startMs + day)).rejects.toMatchObject({ status: 409, slug: 'nonce-used' })
    usedNonces = false
    isChainAway = true
    await expect(hold(startMs + day)).rejects.toMatchObject({ status: 503, slug: 'chain-away' })
    isChainAway = false
    const { action } = await sign()
    sent.push(openAction(action, rules.domain).hash)
    const given = holdAction({ action, holdUntilMs: startMs + day }, author, options)
    await expect(given).rejects.toMatchObject({ status: 409, slug: 'already-sent' })
  })

  test('when so many of the account wait already; a newer one of the same subject is', async () => {
    for (let number = 1; number <= maximumHeldPerAccount; number++) {
      await hold(startMs + day, { subject: subjectOf(author, BigInt(number)) })
    }
    const another = hold(startMs + day, { subject: subjectOf(author, 1_000n) })
    await expect(another).rejects.toMatchObject({ status: 429, slug: 'too-many-held' })
    await expect(hold(startMs + 2 * day, { subject: subjectOf(author, 7n) })).resolves.toBeDefined()
  }, 30_000)

  test('when its upload is gone, or operators let go of it before', async () => {
    const opened = openAction((await sign(track)).action, rules.domain)
    const fault = (untilMs: number) => faultOfUpload(opened, options, untilMs)
    const grant = { ...anUpload().grant, expiresAt: startMs + 6 * day }
    const upload = anUpload({ state: 'ready', track: aTrack, grant })
    uploads = [upload]
    expect(fault(startMs + 6 * day)).toBeUndefined()
    expect(fault(startMs + 6 * day + 1)).toMatch(/until 2027-.*Z only/)
    for (const change of [{ state: 'cancelled' }, { released: true }] as const) {
      uploads = [{ ...upload, ...change }]
      expect(fault(0)).toContain('is not at this node')
    }
    uploads = [{ ...upload, state: 'replicating' }]
    expect(fault(0)).toBeUndefined()
  })
})
