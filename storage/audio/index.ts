export { audioRoutes } from './audio-routes.ts'
