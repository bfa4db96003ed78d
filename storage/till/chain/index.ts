export { createOfferSource, offerRoutes } from './offer-routes.ts'
export type { OnlyTill } from './only-till.ts'
export {
  openTillChain,
  type TillBook,
  type TillChain,
  type TillChainStatus,
  type TillTerms,
} from './open-till-chain.ts'
export type { ReservedFor, ReserveRelay, SignedReserve } from './reserve-relay.ts'
