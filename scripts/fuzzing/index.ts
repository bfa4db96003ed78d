export { describeFinding } from './describe-finding.ts'
export { fuzz } from './fuzz.ts'
export type { Finding, TargetReport } from './fuzz-target.ts'
export { loadTargets } from './targets/index.ts'
