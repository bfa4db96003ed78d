export { type Rebuild, readRebuild } from './building.ts'
export { createProgressLog } from './progress-log.ts'
export { isOfOtherRules, rebuild } from './rebuild.ts'
export { readStaleTables, writeTableVersions } from './table-versions.ts'
