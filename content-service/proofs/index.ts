export { proofRoutes } from './proof-routes.ts'
export { type ProveElsewhereDependencies, proveElsewhere } from './prove-elsewhere.ts'
