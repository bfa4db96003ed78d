import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { type Address, parseAddress, type Subject, subjectOf } from '@hexachord/protocol/names'
import {
  type Receipt,
  receiptSeconds,
  receiptSigner,
  renewReceiptSeconds,
} from '@hexachord/protocol/receipts'
import type { Domain } from '@hexachord/protocol/signing'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import {
  createReceiptStore,
  createRenewReceipt,
  createSignAgain,
  type ReceiptStore,
  receiptMigrations,
} from './index.ts'

const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 1,
  verifyingContract: `0x${'cc'.repeat(20)}`,
}
const operator: Address = `0x${'01'.repeat(20)}`
const subject: Subject = subjectOf(`0x${'aa'.repeat(20)}`, 1n)
const manifest = 'baguqeerae5ezqkaabv3gvf5fwmand6lxlevciyyfnawwxqlhpa3bkmrb2iia'
const hotKey = new Wallet(Wallet.createRandom().privateKey)
const startMs = 1_800_000_000_000

let database: Sqlite
let receipts: ReceiptStore
let nowMs: number
beforeEach(async () => {
  database = openSqlite(':memory:', { migrations: receiptMigrations })
  receipts = createReceiptStore(database)
  nowMs = startMs
  receipts.put(await signedBy(hotKey))
})
afterEach(() => database.close())

const now = () => nowMs

function signedBy(key: Wallet): Promise<Receipt> {
  const signAgain = createSignAgain({ hotKey: key, domain, operator, head: () => 7, now })
  return signAgain({
    subject,
    manifest,
    storageRoot: `0x${'0a'.repeat(32)}`,
    leafCount: 9,
    byteLength: 2_000,
  })
}

function renew(isHeld = true): Promise<boolean> {
  const signAgain = createSignAgain({ hotKey, domain, operator, head: () => 8, now })
  const hotAddress = parseAddress(hotKey.address)
  return createRenewReceipt({ receipts, signAgain, domain, hotKey: hotAddress, isHeld: () => isHeld, now })(
    subject,
    manifest,
  )
}

describe('a receipt', () => {
  test('is left as it is while it has long to go', async () => {
    const before = receipts.get(subject, manifest)
    nowMs += (receiptSeconds - renewReceiptSeconds - 60) * 1_000
    expect(await renew()).toBe(false)
    expect(receipts.get(subject, manifest)).toEqual(before)
  })

  test('is signed again, for as long again, before it ends', async () => {
    const before = receipts.get(subject, manifest)
    nowMs += (receiptSeconds - renewReceiptSeconds + 60) * 1_000
    expect(await renew()).toBe(true)
    const after = receipts.get(subject, manifest)
    const { storageRoot, leafCount, byteLength } = before ?? {}
    expect(after).toMatchObject({ storageRoot, leafCount, byteLength, blockNumber: 8 })
    expect(after?.validUntil).toBe(nowMs / 1_000 + receiptSeconds)
    expect(after && receiptSigner(after, domain)).toBe(parseAddress(hotKey.address))
  })

  test('is signed again when the key before was another one', async () => {
    receipts.put(await signedBy(new Wallet(Wallet.createRandom().privateKey)))
    expect(await renew()).toBe(true)
    expect(await renew()).toBe(false)
  })

  test('is not signed again for what was let go in the meantime', async () => {
    nowMs += receiptSeconds * 1_000
    expect(await renew(false)).toBe(false)
    receipts.remove(subject, manifest)
    expect(await renew()).toBe(false)
  })
})
