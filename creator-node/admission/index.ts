export {
  type Allowance,
  type Budgets,
  budgetMigrations,
  type Costs,
  createBudgets,
  type Expense,
  expenses,
  type Overspent,
} from './budget.ts'
export { createInvites, type Invites, inviteMigrations } from './invites.ts'
export { publisherRoutes } from './publisher-routes.ts'
export { createPublisherGate, type PublisherGate, type Publishers } from './publishers.ts'
export { overspentProblem } from './refusals.ts'
