export { keepFingerprints } from './keep-fingerprints.ts'
export { likenessRoutes } from './routes.ts'
