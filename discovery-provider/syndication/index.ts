export { readCollection } from './collection.ts'
export { syndicationRoutes } from './routes.ts'
