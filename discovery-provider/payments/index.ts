export { createPaymentFollower } from './follow-payments.ts'
export { incomeRoutes } from './read-income.ts'
export { termsRoutes } from './read-terms.ts'
