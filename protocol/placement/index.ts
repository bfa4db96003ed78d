export {
  acceptedOperators,
  acceptedRanks,
  copiesPossible,
  epochOf,
  type PlacementRules,
} from './epochs.ts'
export { rankOperators, weightOf } from './rank-operators.ts'
