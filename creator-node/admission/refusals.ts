import { Problem } from '@hexachord/platform/http'
import type { Overspent } from './budget.ts'

const names = { bytes: 'uploads', actions: 'relayed actions', gas: 'gas for relayed actions' } as const

const sendYourself =
  'send the action to the Catalog contract yourself (see `transaction`), use another creator node, or try again tomorrow'

/** What to do instead: the operator's budget is not the network's. */
const advice = {
  bytes: 'use another creator node (see `otherNodes`), or try again tomorrow',
  actions: sendYourself,
  gas: sendYourself,
} as const

/** @param members the way to do without this node */
export function overspentProblem(
  { expense, of, retryAfterMs }: Overspent,
  members: Readonly<Record<string, unknown>> = {},
): Problem {
  const whose = of === 'node' ? "this node's" : "this account's"
  return new Problem({
    status: 429,
    slug: 'budget-spent',
    title: 'Budget spent',
    detail: `${whose} budget of ${names[expense]} for today is spent: ${advice[expense]}`,
    members: { ...members, expense, of },
    headers: { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) },
  })
}
