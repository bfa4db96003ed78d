export { leaseGraceMs } from './pull-offer.ts'
export { createPuller, type Puller } from './puller.ts'
