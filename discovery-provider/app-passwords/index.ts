export { type AccountOf, createAccountOf } from './account-of.ts'
export { type Allowance, createAllowance } from './allowance.ts'
export { openKeyFile } from './key-file.ts'
export {
  type Attempt,
  createLogins,
  howToGetAppPassword,
  type Logins,
  retryAfterSeconds,
} from './logins.ts'
export { type AppPasswords, createAppPasswords, type Login } from './passwords.ts'
export { appPasswordRoutes } from './routes.ts'
