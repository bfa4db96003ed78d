export { originalRoutes } from './original-routes.ts'
