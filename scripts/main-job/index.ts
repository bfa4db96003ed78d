export { localKey } from './local-key.ts'
export { type PaidJobResult, type PaidJobStep, runPaidJob } from './paid-job.ts'
export { type JobStep, type MainJobResult, runMainJob } from './run-main-job.ts'
