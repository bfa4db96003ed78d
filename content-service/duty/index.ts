export { otherHolders } from './holders.ts'
export { createHoldingStore, type Holding, type HoldingStore, holdingMigrations } from './holding-store.ts'
export { createKeeper, defaultLeaseGraceMs, type Keeper, type KeeperTimes } from './keeper.ts'
