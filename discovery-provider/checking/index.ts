export { createDailyChecks } from './daily-checks.ts'
