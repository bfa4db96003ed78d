export { createApp } from './app.ts'
export { clientOf } from './client-address.ts'
export { FetchBlocked, FetchFailed, FetchTimeout, FetchTooLarge } from './fetch-errors.ts'
export { finishApp, problemOf, sendProblem } from './finish-app.ts'
export {
  createGuardedFetch,
  type GuardedFetch,
  type GuardedFetchOptions,
  type GuardedRequestInit,
  type WholeAnswer,
  type WholeFetch,
  type WholeInit,
} from './guarded-fetch.ts'
export { type HealthCheck, healthRoutes } from './health-routes.ts'
export { ListenError, type Listening, listen } from './listen.ts'
export { Problem, type ProblemDetails, parse } from './problem.ts'
export { isPublicAddress } from './public-address.ts'
export { type QuickAnswer, type QuickRoute, quickFirst } from './quick-route.ts'
export { type RequestContext, requestContext } from './request-context.ts'
