export {
  applyRange,
  type CatalogueRules,
  type IndexedAction,
  type IndexedBlock,
  type KeyChange,
  type RangeResult,
  rulesOf,
} from './apply-range.ts'
