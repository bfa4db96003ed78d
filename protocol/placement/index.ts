export { acceptedOperators, epochOf, type PlacementRules, replicationOf } from './epochs.ts'
export { rankOperators, weightOf } from './rank-operators.ts'
