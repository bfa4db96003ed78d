export {
  applyRange,
  type CatalogueRules,
  type IndexedAction,
  type IndexedBlock,
  type RangeResult,
  rulesOf,
} from './apply-range.ts'
