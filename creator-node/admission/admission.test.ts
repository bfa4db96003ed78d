import { openSqlite } from '@hexachord/platform/sqlite'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  budgetMigrations,
  createBudgets,
  createInvites,
  createPublisherGate,
  inviteMigrations,
  overspentProblem,
} from './index.ts'

const hour = 3_600_000
const alice = `0x${'a'.repeat(40)}` as const
const bob = `0x${'b'.repeat(40)}` as const

function budgets(options: { perDay?: number; perAccount?: number; startMs?: number } = {}) {
  const { perDay = 100, perAccount = 60, startMs = 22 * hour } = options
  let atMs = startMs
  const database = openSqlite(':memory:', { migrations: budgetMigrations })
  const allowances = {
    bytes: { perDay, perAccount },
    actions: { perDay: 2, perAccount: 1 },
    gas: { perDay, perAccount },
  }
  return {
    ...createBudgets({ database, allowances, now: () => atMs }),
    wait(ms: number) {
      atMs += ms
    },
  }
}

describe('the budget of a day', () => {
  test('ends for an account when its part is spent, and says when there is one again', () => {
    const { spend } = budgets()
    expect(spend(alice, { bytes: 60 })).toBeUndefined()
    expect(spend(alice, { bytes: 1 })).toEqual({
      expense: 'bytes',
      of: 'account',
      retryAfterMs: 2 * hour,
    })
    expect(spend(bob, { bytes: 40 })).toBeUndefined()
  })

  test('ends for everybody when all is spent, however many keys there are', () => {
    const { spend } = budgets()
    expect(spend(alice, { bytes: 60 })).toBeUndefined()
    expect(spend(bob, { bytes: 41 })).toEqual({ expense: 'bytes', of: 'node', retryAfterMs: 2 * hour })
    expect(spend(bob, { bytes: 40 })).toBeUndefined()
  })

  test('begins anew at midnight UTC', () => {
    const { spend, wait, spentToday } = budgets()
    spend(alice, { bytes: 60 })
    wait(2 * hour)
    expect(spentToday('bytes')).toBe(0)
    expect(spend(alice, { bytes: 60 })).toBeUndefined()
  })

  test('takes back what was not used, on the day on which it was spent', () => {
    const { spend, giveBack, wait, spentToday } = budgets()
    spend(alice, { bytes: 60 })
    giveBack(alice, { bytes: 50 }, 22 * hour)
    expect(spend(alice, { bytes: 50 })).toBeUndefined()
    wait(2 * hour)
    giveBack(alice, { bytes: 10 }, 22 * hour)
    expect(spentToday('bytes')).toBe(0)
  })

  test('keeps bytes and actions apart', () => {
    const { spend } = budgets()
    expect(spend(alice, { actions: 1 })).toBeUndefined()
    expect(spend(alice, { actions: 1 })).toMatchObject({ of: 'account' })
    expect(spend(alice, { bytes: 60 })).toBeUndefined()
  })

  test('is never overspent, whoever asks for whatever', () => {
    const wish = fc.record({ account: fc.constantFrom(alice, bob), amount: fc.nat(80) })
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 30 }), (wishes) => {
        const { spend, spentToday } = budgets()
        const taken = new Map([
          [alice, 0],
          [bob, 0],
        ])
        for (const { account, amount } of wishes) {
          if (spend(account, { bytes: amount }) === undefined)
            taken.set(account, (taken.get(account) ?? 0) + amount)
        }
        const all = [...taken.values()]
        expect(spentToday('bytes')).toBe(all.reduce((sum, amount) => sum + amount))
        expect(spentToday('bytes')).toBeLessThanOrEqual(100)
        expect(Math.max(...all)).toBeLessThanOrEqual(60)
      }),
      { numRuns: 30 },
    )
  })

  test('that is spent is answered with 429 and when to come back', () => {
    const { status, headers } = overspentProblem({
      expense: 'bytes',
      of: 'node',
      retryAfterMs: 1_500,
    })
    expect({ status, headers }).toEqual({ status: 429, headers: { 'Retry-After': '2' } })
  })
})

describe('the budget of a day, with a thousand fresh keys', () => {
  const key = (n: number) => `0x${n.toString(16).padStart(40, '0')}` as const

  test('is never passed by what they send together, and what each has is known', () => {
    const { spend, spentToday, leftToday } = budgets({ perDay: 1_000, perAccount: 10 })
    const outcomes = Array.from({ length: 1_000 }, (_, n) => spend(key(n), { gas: 7, bytes: 3 }))
    expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(142)
    expect(outcomes.at(-1)).toMatchObject({ expense: 'gas', of: 'node' })
    expect([spentToday('gas'), spentToday('bytes')]).toEqual([994, 426])
    expect(leftToday('gas', key(0))).toEqual({ left: 3, perDay: 10 })
    expect(leftToday('gas', key(999))).toEqual({ left: 6, perDay: 10 })
    expect(leftToday('gas')).toEqual({ left: 6, perDay: 1_000 })
  })

  test('leaves something to others, whatever one account wants', () => {
    const { spend, spentToday } = budgets({ perDay: 1_000, perAccount: 10 })
    for (let n = 0; n < 1_000; n++) spend(alice, { bytes: 1 })
    expect(spentToday('bytes')).toBe(10)
    expect(spend(bob, { bytes: 10 })).toBeUndefined()
  })

  test('takes nothing of costs that it cannot take as a whole', () => {
    const { spend, spentToday } = budgets()
    expect(spend(alice, { actions: 1, gas: 61 })).toMatchObject({ expense: 'gas', of: 'account' })
    expect([spentToday('actions'), spentToday('gas')]).toEqual([0, 0])
  })
})

describe('publishers', () => {
  const nobody = { isInvited: () => false }

  test('are all where the node is open', () => {
    expect(createPublisherGate('open', nobody).mayPublish(bob)).toBe(true)
  })

  test('on a list are let in, and those whose music they send', () => {
    const gate = createPublisherGate(new Set([alice]), nobody)
    expect([gate.mayPublish(alice), gate.mayPublish(bob), gate.mayPublish(bob, alice)]).toEqual([
      true,
      false,
      true,
    ])
    expect(gate.refusal(bob)).toMatchObject({ status: 403, slug: 'not-a-publisher' })
  })

  test('by invite are told what they need', () => {
    const gate = createPublisherGate('invite', { isInvited: (account) => account === alice })
    expect([gate.mayPublish(alice), gate.mayPublish(bob)]).toEqual([true, false])
    expect(gate.refusal(bob)).toMatchObject({ status: 403, slug: 'invite-needed' })
  })
})

describe('an invite', () => {
  function invites() {
    let atMs = 1_000
    const database = openSqlite(':memory:', { migrations: inviteMigrations })
    const wait = (ms: number) => {
      atMs += ms
    }
    return { ...createInvites({ database, now: () => atMs }), database, wait }
  }

  test('serves the account that gives it first, as often as it likes', () => {
    const { mint, redeem, isInvited } = invites()
    const [code = ''] = mint(1, 2_000)
    expect(isInvited(alice)).toBe(false)
    expect(redeem(code, alice)).toBe('redeemed')
    expect(redeem(code, alice)).toBe('redeemed')
    expect(redeem(code, bob)).toBe('used')
    expect([isInvited(alice), isInvited(bob)]).toEqual([true, false])
  })

  test('ends, but not for whom it has served', () => {
    const { mint, redeem, isInvited, wait } = invites()
    const [used = '', late = ''] = mint(2, 2_000)
    redeem(used, alice)
    wait(1_000)
    expect(redeem(late, bob)).toBe('expired')
    expect(redeem(used, alice)).toBe('redeemed')
    expect(isInvited(alice)).toBe(true)
  })

  test('cannot be made up, nor read from the database', () => {
    const { mint, redeem, database } = invites()
    const codes = mint(50, 2_000)
    expect(new Set(codes).size).toBe(50)
    expect(redeem('invite-0', alice)).toBe('unknown')
    const rows = JSON.stringify(database.all('SELECT * FROM invite'))
    expect(codes.some((code) => rows.includes(code.slice('invite-'.length)))).toBe(false)
  })
})
