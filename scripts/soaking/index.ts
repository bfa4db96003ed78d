export { type Setting, thisMachineInWords, writeReport } from './report.ts'
export { type SoakOptions, type SoakResult, soak } from './soak.ts'
