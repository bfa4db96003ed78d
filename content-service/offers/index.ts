export { createOfferChanges, type OfferChanges } from './offer-changes.ts'
export { offerRoutes } from './offer-routes.ts'
export {
  createOfferStore,
  type HashedBlock,
  type Lease,
  type LeaseState,
  type ListedBlock,
  type OfferStore,
  offerMigrations,
} from './offer-store.ts'
export { createRoom, type Room } from './room.ts'
