import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Address } from '@hexachord/protocol/names'

/** What is counted: bytes of uploads, and actions that this node pays for, by number and by gas. */
export type Expense = 'bytes' | 'actions' | 'gas'
export const expenses: readonly Expense[] = ['bytes', 'actions', 'gas']

/** Amounts that are spent together. */
export type Costs = Readonly<Partial<Record<Expense, number>>>

/** How much of something may be spent in one day (UTC). */
export type Allowance = { readonly perDay: number; readonly perAccount: number }

/** Budgets of a day, for the whole node and for each account. Keys cost nothing, so the node's own is what holds. */
export type Budgets = {
  /**
   * Spends all of the costs, or nothing at all. Durable when it returns.
   * @returns undefined, or what is spent, whose, and when there is some again, in ms from now
   */
  spend(account: Address, costs: Costs): Overspent | undefined
  /** Gives back what was spent at a time (ms) and then not used. */
  giveBack(account: Address, costs: Costs, spentAtMs: number): void
  /** Spent today by all. */
  spentToday(expense: Expense): number
  /** What may still be spent today, by an account or by all together. */
  leftToday(expense: Expense, account?: Address): { left: number; perDay: number }
}

export type Overspent = {
  readonly expense: Expense
  readonly of: 'node' | 'account'
  readonly retryAfterMs: number
}

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

  /** @returns what does not fit any more */
  function overspent(day: number, account: Address, [expense, amount]: Entry) {
    const { perDay, perAccount } = allowances[expense]
    if (spent(day, expense, everybody) + amount > perDay) return { expense, of: 'node' } as const
    if (spent(day, expense, account) + amount > perAccount) return { expense, of: 'account' } as const
    return undefined
  }

  return {
    spend(account, costs) {
      const atMs = now()
      const day = dayOf(atMs)
      return database.transaction(() => {
        for (const entry of entriesOf(costs)) {
          const over = overspent(day, account, entry)
          if (over) return { ...over, retryAfterMs: (day + 1) * dayMs - atMs }
        }
        for (const [expense, amount] of entriesOf(costs)) {
          add(day, expense, everybody, amount)
          add(day, expense, account, amount)
        }
        database.run('DELETE FROM budget WHERE day < ?', day - keptDays)
        return undefined
      })
    },
    giveBack(account, costs, spentAtMs) {
      const day = dayOf(spentAtMs)
      database.transaction(() => {
        for (const [expense, amount] of entriesOf(costs)) {
          add(day, expense, everybody, -amount)
          add(day, expense, account, -amount)
        }
      })
    },
    spentToday: (expense) => spent(dayOf(now()), expense, everybody),
    leftToday(expense, account) {
      const { perDay, perAccount } = allowances[expense]
      const day = dayOf(now())
      const left = Math.max(0, perDay - spent(day, expense, everybody))
      if (account === undefined) return { left, perDay }
      const own = Math.max(0, perAccount - spent(day, expense, account))
      return { left: Math.min(left, own), perDay: Math.min(perDay, perAccount) }
    },
  }
}

type Entry = readonly [expense: Expense, amount: number]

function entriesOf(costs: Costs): Entry[] {
  return expenses.flatMap((expense) => {
    const amount = costs[expense]
    return amount === undefined ? [] : [[expense, amount] as const]
  })
}
