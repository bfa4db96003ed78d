export { actionRoutes } from './action-routes.ts'
export { catalogInterface } from './catalog-contract.ts'
