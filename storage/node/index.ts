export { nodeReadiness } from './readiness.ts'
export { type FollowingStatus, nodeStatus } from './status.ts'
export { nodeConfig, nodeVariables, tillTermsOn } from './variables.ts'
