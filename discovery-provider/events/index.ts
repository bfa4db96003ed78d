export { eventRoutes, eventsQuery } from './event-routes.ts'
