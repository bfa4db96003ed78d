export {
  type Catalogue,
  type CatalogueChange,
  type LiveTrack,
  liveTrack,
  type Ranks,
  type RecordedAction,
} from './catalogue.ts'
export { OtherNetwork } from './catalogue-store.ts'
export { catalogueMigrations } from './catalogue-tables.ts'
export { type FollowCatalogueOptions, followCatalogue } from './follow-catalogue.ts'
