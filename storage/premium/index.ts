export { type NodePremium, openPremium } from './open-premium.ts'
export { type PremiumRoutesOptions, premiumRoutes } from './premium-routes.ts'
export { createSecretStore, premiumMigrations } from './secret-store.ts'
