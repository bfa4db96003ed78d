export {
  type Connection,
  type ConnectOptions,
  connect,
  NoProvider,
  type PaymentContracts,
  type Provider,
} from './connect.ts'
export {
  ApiError,
  type Http,
  isGone,
  noAnswer,
  parseAnswer,
  problemError,
  readJson,
  readProblem,
  reasonOf,
} from './http.ts'
export { listCreators } from './list-creators.ts'
export { defaultPatienceMs, isPassing, type Patience, patiently, pause } from './retry.ts'
