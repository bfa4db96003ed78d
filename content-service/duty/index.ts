export {
  createHoldingStore,
  type Holding,
  type HoldingStore,
  holdingMigrations,
} from './holding-store.ts'
export { createKeeper, type Keeper } from './keeper.ts'
export { defaultRepairLeaseMs, type KeeperTimes } from './keeper-times.ts'
