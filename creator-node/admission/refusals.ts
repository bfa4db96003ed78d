import { Problem } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import type { Expense, Overspent } from './budget.ts'

const names = { bytes: 'uploads', actions: 'relayed actions' } as const

/** What to do instead: the operator's budget is not the network's. */
const advice = {
  bytes: 'use another creator node, or try again tomorrow',
  actions:
    'use another creator node, send the action to the Catalog contract yourself, or try again tomorrow',
} as const

export function overspentProblem(expense: Expense, { of, retryAfterMs }: Overspent): Problem {
  const whose = of === 'node' ? "this node's" : "this account's"
  return new Problem({
    status: 429,
    slug: 'budget-spent',
    title: 'Budget spent',
    detail: `${whose} budget of ${names[expense]} for today is spent: ${advice[expense]}`,
    headers: { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) },
  })
}

export function notAPublisher(account: Address): Problem {
  return new Problem({
    status: 403,
    slug: 'not-a-publisher',
    detail: `${account} may not publish through this node; its operator decides who may: use another creator node`,
  })
}
