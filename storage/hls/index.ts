export { hlsRoutes, type KeysOf } from './hls-routes.ts'
