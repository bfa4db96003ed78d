export { artistKey } from './artist-key.ts'
export { type JobStep, type MainJobResult, runMainJob } from './run-main-job.ts'
