export type { WorkOptions } from './context.ts'
export { type CpuSlots, createCpuSlots } from './cpu-slots.ts'
export { type Jobs, startJobs } from './start-jobs.ts'
