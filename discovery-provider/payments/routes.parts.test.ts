import { type Address, subjectToBytes32 } from '@hexachord/protocol/names'
import {
  incomeSchema,
  operatorAnswerSchema,
  operatorIncomeSchema,
  pricedTrackSchema,
  termsHistorySchema,
} from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import {
  bookPayments,
  nodes,
  paidContracts,
  payers,
  plainTerms,
  redemption,
} from '../fixtures/payment-history.ts'
import {
  bjork,
  guido,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { operators } from '../fixtures/synthetic-network.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const day = 86_400
const week = 7 * day
const [node = guido] = nodes
const curator: Address = `0x${'71'.repeat(20)}`
const terms = {
  ...plainTerms(guido),
  ...{ curatorBps: 500, payees: [guido, bjork], payeeBps: [7_000, 3_000] },
}
const currency = { token: paidContracts.token, decimals: 6 }

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
  const { postgres } = served.catalogue.database
  const track = subjectToBytes32(hymn)
  const ofHymn = { track: hymn, amount: 1_340n }
  const [payer = guido] = payers
  const now = Math.floor(Date.now() / 1000) - firstSecond
  const again = redemption(node, [{ track: hymn, amount: 670n }])
  if (again.do !== 'redeem') throw new Error('a redemption redeems')
  const [claim] = again.claims
  if (claim === undefined) throw new Error('a redemption has a claim')
  const base = 1_340n * 2n + 10n
  await bookPayments(postgres, [
    [{ do: 'setTerms', signer: guido, track, terms }, 1],
    [
      {
        do: 'setTerms',
        signer: bjork,
        track: subjectToBytes32(joga),
        terms: { ...plainTerms(bjork), unitPrice: 5n },
      },
      2,
    ],
    [redemption(node, [ofHymn, { ...ofHymn, curator }, { track: joga, amount: 10n }]), day],
    [{ do: 'distribute', track, version: 1 }, day + 60],
    [{ ...again, claims: [{ ...claim, payer, base, cumulative: base + 670n }] }, 2 * day],
    // The first is replaced before it comes into force; the second waits.
    [{ do: 'setTerms', signer: guido, track, terms: { ...terms, unitPrice: 1n } }, now - 60],
    [{ do: 'setTerms', signer: guido, track, terms: { ...terms, unitPrice: 200n } }, now - 30],
  ])
})
afterAll(() => served.close())

const dayOf = (second: number) => new Date((firstSecond + second) * 1000).toISOString().slice(0, 10)

describe('what a track costs', () => {
  test('stands with the track: terms in force, and what waits', async () => {
    const { terms } = await served.read(`/v1/tracks/${hymn}`, pricedTrackSchema)
    expect(terms).toEqual({
      ...{
        version: 1,
        unitPrice: '134',
        nodeBps: 1_000,
        curatorBps: 500,
        effectiveAtMs: (firstSecond + 1) * 1000,
      },
      payees: [
        { account: guido, bps: 7_000 },
        { account: bjork, bps: 3_000 },
      ],
      ...{ owner: guido, currency, paidUnits: '25' },
      change: expect.objectContaining({ version: 3, unitPrice: '200' }),
    })
    expect((terms?.change?.effectiveAtMs ?? 0) - Date.now()).toBeGreaterThan((week - 600) * 1000)
  })

  test('is nothing where nobody has set terms', async () => {
    const { catalogue } = served
    await catalogue.database.postgres.query('DELETE FROM track_owner WHERE track = $1', [joga])
    expect(await served.read(`/v1/tracks/${joga}`, pricedTrackSchema)).toMatchObject({ terms: null })
    expect(await served.problem(`/v1/tracks/${joga}/terms`)).toMatchObject({ status: 404 })
  })

  test('is told with all that it was, page by page', async () => {
    const first = await served.read(`/v1/tracks/${hymn}/terms?limit=2`, termsHistorySchema)
    expect(first).toMatchObject({ owner: guido, currency, indexed: 7 })
    expect(first.items).toMatchObject([
      { version: 3, unitPrice: '200', dropped: false, paid: '0' },
      { version: 2, unitPrice: '1', dropped: true, paid: '0' },
    ])
    const second = await served.read(
      `/v1/tracks/${hymn}/terms?limit=2&cursor=${first.next}`,
      termsHistorySchema,
    )
    // Of 3,350 paid a tenth is the node's; of the 1,340 that a curator led to a twentieth is the curator's.
    expect(second).toMatchObject({
      items: [{ version: 1, paidUnits: '25', paid: '3350', earned: '2948', distributed: '2345' }],
      next: null,
    })
  })
})

describe('what was earned', () => {
  test('by an account: by day, track and share, newest day first', async () => {
    const { items, ...rest } = await served.read(`/v1/users/${guido}/income`, incomeSchema)
    expect(rest).toEqual({ currency, indexed: 7, next: null })
    const of = { track: hymn, version: 1, owner: guido, account: guido, share: 'payee' }
    expect(items).toEqual([
      { ...of, day: dayOf(2 * day), units: '5', earned: '422', distributed: '0' },
      { ...of, day: dayOf(day), units: '20', earned: '1642', distributed: '1642' },
    ])
    const byCurating = await served.read(`/v1/users/${curator}/income`, incomeSchema)
    expect(byCurating.items).toMatchObject([
      { share: 'curator', units: '10', earned: '67', distributed: '67' },
    ])
  })

  test('by the tracks of an owner: by everybody, page by page', async () => {
    const path = `/v1/users/${guido}/income?as=owner&limit=1`
    const accounts: string[] = []
    let page = await served.read(path, incomeSchema)
    for (;;) {
      accounts.push(...page.items.map(({ day, account, earned }) => `${day} ${account} ${earned}`))
      if (page.next === null) break
      page = await served.read(`${path}&cursor=${page.next}`, incomeSchema)
    }
    expect(accounts).toEqual([
      `${dayOf(2 * day)} ${bjork} 181`,
      `${dayOf(2 * day)} ${guido} 422`,
      `${dayOf(day)} ${bjork} 703`,
      `${dayOf(day)} ${guido} 1642`,
      `${dayOf(day)} ${curator} 67`,
    ])
  })

  test('by an operator: by day, with the hours of listening', async () => {
    const first = await served.read(`/v1/operators/${node}/income?limit=1`, operatorIncomeSchema)
    expect(first.items).toEqual([
      { day: dayOf(2 * day), units: '5', listenerHours: 5 / 600, paid: '670', earned: '67' },
    ])
    const second = await served.read(
      `/v1/operators/${node}/income?limit=1&cursor=${first.next}`,
      operatorIncomeSchema,
    )
    expect(second).toMatchObject({
      items: [{ day: dayOf(day), units: '22', paid: '2690', earned: '269' }],
      next: null,
    })
  })

  test('is nothing for who has earned nothing', async () => {
    const { items } = await served.read(`/v1/users/0x${'99'.repeat(20)}/income`, incomeSchema)
    expect(items).toEqual([])
  })

  test.each([
    `/v1/users/guido/income`,
    `/v1/users/${guido}/income?as=fan`,
    `/v1/users/${guido}/income?cursor=x`,
    `/v1/users/${guido}/income?cursor=${Buffer.from('["2026-13-45","0x",1,"payee","0x"]').toString('base64url')}`,
    `/v1/operators/${guido}/income?cursor=${Buffer.from('["yesterday"]').toString('base64url')}`,
    `/v1/tracks/${hymn}/terms?cursor=${Buffer.from('[0]').toString('base64url')}`,
  ])('is refused with what is wrong: %s', async (path) => {
    expect(await served.problem(path)).toMatchObject({ status: 400 })
  })
})

test('an operator is told by its address, so that a wallet can check whose signature an offer has', async () => {
  const [, , third] = operators
  const told = await served.read(`/v1/operators/${third?.operator}`, operatorAnswerSchema)
  expect(told).toMatchObject({
    endpoint: third?.endpoint,
    hotKey: third?.hotKey.address.toLowerCase(),
    active: true,
  })
  expect(await served.problem(`/v1/operators/${guido}`)).toMatchObject({ status: 404 })
})
