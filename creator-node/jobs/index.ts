export { type CpuSlots, createCpuSlots } from './cpu-slots.ts'
export { type Jobs, startJobs } from './start-jobs.ts'
export type { WorkOptions } from './work.ts'
