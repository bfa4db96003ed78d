export type { Asking, Gate, Meter, PaidRequest } from './gate.ts'
export { createGateway, type Gateway, type GatewayOptions } from './routes.ts'
export { takeSession } from './session-parameter.ts'
