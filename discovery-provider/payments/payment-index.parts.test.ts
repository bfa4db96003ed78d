import { type Address, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import type { Ledger } from '@hexachord/protocol/payments'
import { shareOut } from '@hexachord/protocol/payments'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import {
  curators,
  ledgerWithReserves,
  nodes,
  paidContracts,
  paidTracks,
  randomPayment,
} from '../fixtures/payment-history.ts'
import { createDice } from '../fixtures/random-actions.ts'
import { createSyntheticChain, firstSecond, type SyntheticChain } from '../fixtures/synthetic-chain.ts'
import { network } from '../fixtures/synthetic-network.ts'
import { openPaymentIndex, type PaymentIndex } from './payment-index.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

const week = 7 * 24 * 3600
const { finalityBlocks } = network

let database: TestDatabase
let fresh: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  fresh = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
  await fresh.drop()
})

/** Takes back what the chain has replaced, then reads on to the head in ranges of random length. */
async function follow(index: PaymentIndex, chain: SyntheticChain, blocks: () => number): Promise<number> {
  const known = await index.knownBlocks()
  const common = known.find(({ number, hash }) => chain.blocks[number - 1]?.hash === hash)
  const replaced = common === undefined ? 0 : index.progress.indexed - common.number
  if (common !== undefined && replaced > 0) await index.takeBack(common.number)
  while (index.progress.indexed < chain.head) {
    const from = index.progress.indexed + 1
    await index.append(chain.range(from, Math.min(chain.head, from + blocks())))
  }
  return replaced
}

const tables = {
  payment_checkpoint: 'only_row',
  track_owner: 'track, block, log_index',
  track_terms: 'track, version',
  track_income: 'track, version',
  income: 'account, day, track, version, share, owner',
  operator_income: 'operator, day',
  payment_entry: 'block, log_index, place',
}

async function booksOf({ postgres }: TestDatabase): Promise<Record<string, Record<string, unknown>[]>> {
  const books: Record<string, Record<string, unknown>[]> = {}
  for (const [table, order] of Object.entries(tables)) {
    books[table] = (await postgres.query(`SELECT * FROM ${table} ORDER BY ${order}`)).rows
  }
  return books
}

/** What the books say in sum, and what the ledger knows: it has never heard of days, logs or ranges. */
async function agree({ postgres }: TestDatabase, ledger: Ledger) {
  const sums = async (text: string): Promise<Map<string, bigint>> => {
    const { rows } = await postgres.query<{ name: string; sum: string }>(text)
    return new Map(rows.map(({ name, sum }) => [name, BigInt(sum)]))
  }
  const earned = await sums(`SELECT track || ' ' || version AS name, earned AS sum FROM track_income`)
  const distributed = await sums(
    `SELECT track || ' ' || version AS name, distributed AS sum FROM track_income`,
  )
  const payeesEarned = await sums(
    `SELECT track || ' ' || version AS name, sum(earned) FROM income WHERE share = 'payee' GROUP BY 1`,
  )
  const ofPayee = await sums(
    `SELECT track || ' ' || version || ' ' || account AS name, sum(earned) FROM income WHERE share = 'payee' GROUP BY 1`,
  )
  for (const track of paidTracks) {
    const terms = ledger.tracks.get(subjectToBytes32(track))?.terms ?? []
    for (const [index, { payees, payeeBps }] of terms.entries()) {
      const name = `${track} ${index + 1}`
      const known = ledger.earned.get(`${subjectToBytes32(track)} ${index + 1}`) ?? {
        total: 0n,
        distributed: 0n,
      }
      expect([name, earned.get(name) ?? 0n, distributed.get(name) ?? 0n]).toEqual([
        name,
        known.total,
        known.distributed,
      ])
      expect(payeesEarned.get(name) ?? 0n).toBe(known.total)
      const atOnce = shareOut(known.total, 0n, payeeBps)
      for (const payee of new Set(payees)) {
        const due = atOnce.reduce((sum, amount, at) => (payees[at] === payee ? sum + amount : sum), 0n)
        expect([payee, ofPayee.get(`${name} ${payee}`) ?? 0n]).toEqual([payee, due])
      }
    }
  }
  const credited = await sums('SELECT account AS name, sum(distributed) FROM income GROUP BY 1')
  for (const [account, amount] of credited) {
    expect([account, amount]).toEqual([account, ledger.balances.get(account as Address) ?? 0n])
  }
  const operators = await sums('SELECT operator AS name, sum(earned) FROM operator_income GROUP BY 1')
  for (const node of nodes) expect(operators.get(node) ?? 0n).toBe(ledger.balances.get(node) ?? 0n)
  expect(credited.get(curators[0] ?? '')).toBe(ledger.balances.get(curators[0] ?? '0x'))
}

async function expectOwners({ postgres }: TestDatabase, ledger: Ledger): Promise<void> {
  const { rows } = await postgres.query<{ track: Subject; owner: Address }>(
    'SELECT DISTINCT ON (track) track, owner FROM track_owner ORDER BY track, block DESC, log_index DESC',
  )
  const owners = new Map(rows.map(({ track, owner }) => [subjectToBytes32(track), owner]))
  expect(owners).toEqual(new Map([...ledger.tracks].map(([track, { owner }]) => [track, owner])))
}

describe('books of a history with reorganisations', () => {
  test.each([1, 2, 3])(
    'are those of a fresh index, and agree with the ledger to the unit (seed %i)',
    async (seed) => {
      const dice = createDice(seed)
      await database.empty()
      await fresh.empty()
      const chain = createSyntheticChain()
      const start = ledgerWithReserves(firstSecond)
      const ledgers = [start]
      const open = () => openPaymentIndex(database.postgres, paidContracts)
      let index = await open()
      while (chain.head < 8) chain.mine()
      for (let block = 1; block <= chain.head; block++) ledgers[block] = start
      let highest = chain.head
      let replaced = 0
      for (let step = 0; step < 70; step++) {
        const seconds = dice(9) === 0 ? week : 2 + dice(20_000)
        const now = (chain.blocks.at(-1)?.timestamp ?? firstSecond) + seconds
        let ledger = ledgers[chain.head] ?? start
        const logs = []
        for (let count = dice(6); count > 0; count--) {
          const done = randomPayment(dice, ledger, now)
          ledger = done.ledger
          logs.push(...done.logs)
        }
        chain.mine(logs, seconds)
        ledgers[chain.head] = ledger
        highest = Math.max(highest, chain.head)
        if (dice(3) > 0) replaced += await follow(index, chain, () => dice(4))
        if (dice(8) === 0) index = await open()
        const depth = Math.min(1 + dice(finalityBlocks), chain.head - (highest - finalityBlocks))
        if (dice(4) === 0 && depth > 0) chain.drop(depth)
      }
      const ledger = ledgers[chain.head] ?? start
      while (chain.head <= highest) chain.mine()
      replaced += await follow(index, chain, () => dice(4))

      const scratch = await openPaymentIndex(fresh.postgres, paidContracts)
      await scratch.append(chain.range(1, chain.head))
      const books = await booksOf(database)
      expect(books).toEqual(await booksOf(fresh))
      await agree(database, ledger)
      await expectOwners(database, ledger)
      // Or the history would prove little.
      expect(replaced).toBeGreaterThan(3)
      expect(books.income?.length).toBeGreaterThan(15)
      expect(books.track_terms?.some((row) => row.dropped_block !== null)).toBe(true)
      expect(new Set(books.income?.map(({ version }) => version)).size).toBeGreaterThan(1)
      expect(new Set(books.income?.map(({ share }) => share))).toEqual(new Set(['payee', 'curator']))
    },
  )

  test('that go below finality are not followed', async () => {
    await database.empty()
    const chain = createSyntheticChain()
    for (let block = 0; block < 10; block++) chain.mine()
    const index = await openPaymentIndex(database.postgres, paidContracts)
    await index.append(chain.range(1, 10))
    await expect(index.takeBack(5)).rejects.toThrow(/were final/)
  })

  test('are of one escrow', async () => {
    await database.empty()
    await openPaymentIndex(database.postgres, paidContracts)
    const other = { ...paidContracts, escrow: `0x${'12'.repeat(20)}` }
    await expect(openPaymentIndex(database.postgres, other)).rejects.toThrow(/holds payments of the escrow/)
  })
})
