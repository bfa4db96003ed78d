export { createPlayerWrites, howToAllow, type PlayerWrites } from './pen.ts'
export { writingKeyRoutes } from './routes.ts'
