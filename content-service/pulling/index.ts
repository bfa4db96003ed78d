export { createPuller, type Puller } from './puller.ts'
