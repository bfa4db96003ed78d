export {
  type ActionOutcome,
  ActionRejected,
  settleAction,
  type WaitOptions,
  waitForAction,
  writeAction,
} from './actions.ts'
export { type Payer, payForAction } from './pay-for-action.ts'
export { NotRelayed, relayAction } from './relay-action.ts'
export { PaymentFailed, rpcPayer } from './rpc-payer.ts'
export { type SettleOptions, settleNewAction } from './settle-new-action.ts'
export { type NewAction, signNewAction } from './sign-action.ts'
export { accountPass, type FreshToken, freshToken, tokenFor } from './tokens.ts'
