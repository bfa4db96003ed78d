export {
  type Catalogue,
  type CatalogueChange,
  type LiveTrack,
  liveTrack,
  type Ranks,
  type RecordedAction,
} from './catalogue.ts'
export { catalogueMigrations, OtherNetwork } from './catalogue-store.ts'
export { type FollowCatalogueOptions, followCatalogue } from './follow-catalogue.ts'
