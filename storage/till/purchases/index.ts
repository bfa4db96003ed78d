export { createPurchases, type Purchases, type PurchasesOptions } from './create-purchases.ts'
export { purchaseRoutes } from './purchase-routes.ts'
