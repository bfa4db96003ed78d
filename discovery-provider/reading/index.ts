export { createApi } from './api.ts'
export { watchChainHead } from './chain-head.ts'
export { pricedTracksStatement } from './tracks.ts'
