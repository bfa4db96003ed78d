export { type CatalogueIndex, openCatalogueIndex } from './catalogue-index.ts'
export { type CatalogueWriter, startCatalogueWriter } from './catalogue-writer.ts'
export {
  type Checkpoint,
  type IndexedNetwork,
  IndexMoved,
  readCheckpoint,
  WrongNetwork,
} from './checkpoint.ts'
export { isDatabaseAway } from './database-away.ts'
export { isIndexComplete } from './deferred-indexes.ts'
export { createIndexMetrics } from './index-metrics.ts'
