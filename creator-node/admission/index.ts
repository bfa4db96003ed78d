export {
  type Allowance,
  type Budgets,
  budgetMigrations,
  createBudgets,
  type Expense,
  type Overspent,
} from './budget.ts'
export { createIdentify, type Identify } from './identify.ts'
export { mayPublish, type Publishers } from './publishers.ts'
export { notAPublisher, overspentProblem } from './refusals.ts'
