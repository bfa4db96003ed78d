import { openSqlite } from '@hexachord/platform/sqlite'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { budgetMigrations, createBudgets, mayPublish, overspentProblem } from './index.ts'

const hour = 3_600_000
const alice = `0x${'a'.repeat(40)}` as const
const bob = `0x${'b'.repeat(40)}` as const

function budgets(options: { perDay?: number; perAccount?: number; startMs?: number } = {}) {
  const { perDay = 100, perAccount = 60, startMs = 22 * hour } = options
  let atMs = startMs
  const database = openSqlite(':memory:', { migrations: budgetMigrations })
  const allowances = { bytes: { perDay, perAccount }, actions: { perDay: 2, perAccount: 1 } }
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
    expect(spend('bytes', alice, 60)).toBeUndefined()
    expect(spend('bytes', alice, 1)).toEqual({ of: 'account', retryAfterMs: 2 * hour })
    expect(spend('bytes', bob, 40)).toBeUndefined()
  })

  test('ends for everybody when all is spent, however many keys there are', () => {
    const { spend } = budgets()
    expect(spend('bytes', alice, 60)).toBeUndefined()
    expect(spend('bytes', bob, 41)).toEqual({ of: 'node', retryAfterMs: 2 * hour })
    expect(spend('bytes', bob, 40)).toBeUndefined()
  })

  test('begins anew at midnight UTC', () => {
    const { spend, wait, spentToday } = budgets()
    spend('bytes', alice, 60)
    wait(2 * hour)
    expect(spentToday('bytes')).toBe(0)
    expect(spend('bytes', alice, 60)).toBeUndefined()
  })

  test('takes back what was not used, on the day on which it was spent', () => {
    const { spend, giveBack, wait, spentToday } = budgets()
    spend('bytes', alice, 60)
    giveBack('bytes', alice, 50, 22 * hour)
    expect(spend('bytes', alice, 50)).toBeUndefined()
    wait(2 * hour)
    giveBack('bytes', alice, 10, 22 * hour)
    expect(spentToday('bytes')).toBe(0)
  })

  test('keeps bytes and actions apart', () => {
    const { spend } = budgets()
    expect(spend('actions', alice, 1)).toBeUndefined()
    expect(spend('actions', alice, 1)).toMatchObject({ of: 'account' })
    expect(spend('bytes', alice, 60)).toBeUndefined()
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
          if (spend('bytes', account, amount) === undefined)
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
    const { status, headers } = overspentProblem('bytes', { of: 'node', retryAfterMs: 1_500 })
    expect({ status, headers }).toEqual({ status: 429, headers: { 'Retry-After': '2' } })
  })
})

test('a list of publishers lets its accounts in, and those whose music they send', () => {
  expect(mayPublish('open', bob)).toBe(true)
  expect(mayPublish(new Set([alice]), alice)).toBe(true)
  expect(mayPublish(new Set([alice]), bob)).toBe(false)
  expect(mayPublish(new Set([alice]), bob, alice)).toBe(true)
})
