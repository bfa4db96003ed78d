import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import type { Receipt } from '@hexachord/protocol/receipts'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createOfferStore, type OfferStore, offerMigrations } from '../offers/index.ts'
import { createReceiptStore, type ReceiptStore, receiptMigrations } from '../receipts/index.ts'
import { createHoldingStore, type HoldingStore, holdingMigrations } from './holding-store.ts'
import { endReplacedLeases, letGoOfLeases, letGoOfTracks } from './let-go.ts'

const manifest = 'baguqeerae5ezqkaabv3gvf5fwmand6lxlevciyyfnawwxqlhpa3bkmrb2iia'
const author: Address = `0x${'aa'.repeat(20)}`
const [one, two]: [Subject, Subject] = [`${author}-1`, `${author}-2`]

let database: Sqlite
let offers: OfferStore
let holdings: HoldingStore
let receipts: ReceiptStore
let pinned: Set<string>
beforeEach(() => {
  database = openSqlite(':memory:', {
    migrations: [...offerMigrations, ...holdingMigrations, ...receiptMigrations],
  })
  offers = createOfferStore(database)
  holdings = createHoldingStore(database)
  receipts = createReceiptStore(database)
  pinned = new Set([manifest])
})
afterEach(() => database.close())

const stores = () => ({
  ...{ database, offers, holdings, receipts },
  ipfs: { unpin: async (cid: string) => pinned.delete(cid) },
})

/** A track that a creator node has offered, as the same blocks as any other. */
function leased(
  letter: string,
  subject: Subject,
  expiresAt: number,
  state: 'held' | 'pulling' = 'held',
  takenAt = 0,
): Hash {
  const id: Hash = `0x${letter.repeat(64)}`
  const operator: Address = `0x${letter.repeat(40)}`
  const grant = { subject, audience: `https://${letter}.example`, byteLimit: 9, expiresAt, signature: '0x' }
  offers.add(
    id,
    {
      ...{ operator, to: author, subject, source: `${grant.audience}/uploads/1/blocks` },
      ...{ byteLimit: 9, expiresAt, grant, signature: '0x' },
    },
    takenAt,
  )
  offers.addListed(id, { blocks: [{ cid: manifest, byteLength: 9 }], cursor: '1', manifest })
  if (state === 'pulling') return id
  offers.hold(id)
  const receipt: Receipt = {
    ...{ operator: author, subject, manifest, storageRoot: `0x${'0a'.repeat(32)}`, leafCount: 1 },
    ...{ byteLength: 9, blockNumber: 1, validUntil: 99, signature: '0x' },
  }
  receipts.put(receipt)
  return id
}

describe('of one track that two creator nodes have offered', () => {
  test.each([
    ['the same name', one],
    ['another name', two],
  ])('the blocks stay for the second under %s when the first has come to nothing', async (_, name) => {
    const [first, second] = [leased('1', one, 10), leased('2', name, 1_000)]
    await letGoOfLeases(stores(), 10)
    expect(pinned).toEqual(new Set([manifest]))
    expect(offers.get(first)?.state).toBe('expired')
    expect(offers.get(second)?.state).toBe('held')
    // Without it the second would never be ready.
    expect(receipts.get(name, manifest)).toBeDefined()
    await letGoOfLeases(stores(), 1_000)
    expect(pinned).toEqual(new Set())
    expect(receipts.ofManifest(manifest)).toEqual([])
  })

  test('they stay while the second is still on its way', async () => {
    leased('1', one, 10)
    leased('2', one, 1_000, 'pulling')
    await letGoOfLeases(stores(), 10)
    expect(pinned).toEqual(new Set([manifest]))
  })

  test('they stay when what the first has published is deleted, and its time is over', async () => {
    leased('2', one, 1_000)
    holdings.put({
      ...{ subject: one, manifest, byteLength: 9, state: 'releasing', extra: false },
      ...{ urgency: 0, dueAt: 10, attempts: 0, reason: null },
    })
    await letGoOfTracks(stores(), 10)
    expect(holdings.get(one, manifest)).toBeUndefined()
    expect(pinned).toEqual(new Set([manifest]))
    expect(receipts.get(one, manifest)).toBeDefined()
  })
})

describe('a lease of what was published and replaced while this node did not see it', () => {
  const catalogue = { replacedAt: (subject: Subject) => (subject === one ? 20 : undefined) }

  test('ends then, and its blocks are let go', async () => {
    const id = leased('1', one, 1_000)
    endReplacedLeases({ offers, catalogue })
    await letGoOfLeases(stores(), 19)
    expect(pinned).toEqual(new Set([manifest]))
    await letGoOfLeases(stores(), 20)
    expect(offers.get(id)?.state).toBe('expired')
    expect(pinned).toEqual(new Set())
  })

  test('goes on where the same was offered again since, or nothing was replaced', async () => {
    const ids = [leased('1', two, 1_000), leased('2', one, 1_000, 'held', 21)]
    endReplacedLeases({ offers, catalogue })
    await letGoOfLeases(stores(), 999)
    expect(ids.map((id) => offers.get(id)?.state)).toEqual(['held', 'held'])
  })
})
