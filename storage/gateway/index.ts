export { createGateway, type Gateway, type GatewayOptions } from './routes.ts'
