export { hlsRoutes } from './hls-routes.ts'
