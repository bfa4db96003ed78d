export { type GatewayOptions, gatewayRoutes } from './routes.ts'
