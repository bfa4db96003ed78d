export { type ActionOutcome, ActionRejected, relayAction, waitForAction, writeAction } from './actions.ts'
export { tokenFor } from './tokens.ts'
