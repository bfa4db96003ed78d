export { artistKey } from './artist-key.ts'
export { type MainJobResult, runMainJob } from './run-main-job.ts'
