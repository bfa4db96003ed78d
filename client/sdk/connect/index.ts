export {
  type Connection,
  type ConnectOptions,
  connect,
  NoProvider,
  type Provider,
} from './connect.ts'
export { ApiError, type Http, readJson, readProblem } from './http.ts'
