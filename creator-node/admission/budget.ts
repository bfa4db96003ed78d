import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Address } from '@hexachord/protocol/names'

/** What is counted: bytes of uploads, and actions that this node pays for. */
export type Expense = 'bytes' | 'actions'

/** How much of something may be spent in one day (UTC). */
export type Allowance = { readonly perDay: number; readonly perAccount: number }

/** Budgets of a day, for the whole node and for each account. Keys cost nothing, so the node's own is what holds. */
export type Budgets = {
  /**
   * Spends an amount, or nothing at all. Durable when it returns.
   * @returns undefined, or whose budget is spent and when there is one again, in ms from now
   */
  spend(expense: Expense, account: Address, amount: number): Overspent | undefined
  /** Gives back what was spent at a time (ms) and then not used. */
  giveBack(expense: Expense, account: Address, amount: number, spentAtMs: number): void
  /** Spent today by all. */
  spentToday(expense: Expense): number
}

export type Overspent = { readonly of: 'node' | 'account'; readonly retryAfterMs: number }

export const budgetMigrations: readonly Migration[] = [
  {
    name: 'budget-1',
    sql: `
      CREATE TABLE budget (
        day INTEGER NOT NULL,
        expense TEXT NOT NULL,
        account TEXT NOT NULL,
        amount INTEGER NOT NULL,
        PRIMARY KEY (day, expense, account)
      ) STRICT, WITHOUT ROWID;
    `,
  },
]

const dayMs = 86_400_000
/** Old days are of no use but for a refund that comes late. */
const keptDays = 8
/** Stands for the sum over all accounts. */
const everybody = '*'

export function createBudgets(options: {
  database: Sqlite
  allowances: Readonly<Record<Expense, Allowance>>
  /** ms since 1970. */
  now: () => number
}): Budgets {
  const { database, allowances, now } = options
  const dayOf = (atMs: number) => Math.floor(atMs / dayMs)

  function spent(day: number, expense: Expense, account: string): number {
    const row = database.get<{ amount: number }>(
      'SELECT amount FROM budget WHERE day = ? AND expense = ? AND account = ?',
      day,
      expense,
      account,
    )
    return row?.amount ?? 0
  }

  function add(day: number, expense: Expense, account: string, amount: number): void {
    database.run(
      `INSERT INTO budget (day, expense, account, amount) VALUES (?, ?, ?, max(0, ?))
       ON CONFLICT (day, expense, account) DO UPDATE SET amount = max(0, amount + ?)`,
      day,
      expense,
      account,
      amount,
      amount,
    )
  }

  return {
    spend(expense, account, amount) {
      const atMs = now()
      const day = dayOf(atMs)
      const { perDay, perAccount } = allowances[expense]
      return database.transaction(() => {
        const retryAfterMs = (day + 1) * dayMs - atMs
        if (spent(day, expense, everybody) + amount > perDay) return { of: 'node', retryAfterMs } as const
        if (spent(day, expense, account) + amount > perAccount)
          return { of: 'account', retryAfterMs } as const
        add(day, expense, everybody, amount)
        add(day, expense, account, amount)
        database.run('DELETE FROM budget WHERE day < ?', day - keptDays)
        return undefined
      })
    },
    giveBack(expense, account, amount, spentAtMs) {
      const day = dayOf(spentAtMs)
      database.transaction(() => {
        add(day, expense, everybody, -amount)
        add(day, expense, account, -amount)
      })
    },
    spentToday: (expense) => spent(dayOf(now()), expense, everybody),
  }
}
