import type { UploadAnswer } from '@hexachord/protocol/rest'

export type UploadState = UploadAnswer['state']

/** What happens to an upload. */
export type UploadEvent =
  | 'received'
  | 'started'
  | 'rendered'
  | 'replicated'
  /** Receipts that it had do not count any more. */
  | 'outdated'
  | 'failed'
  | 'cancelled'

/** Where each event leads; what is not here cannot happen in that state. */
const transitions: Readonly<Record<UploadState, Partial<Record<UploadEvent, UploadState>>>> = {
  receiving: { received: 'queued', failed: 'failed', cancelled: 'cancelled' },
  queued: { started: 'processing', failed: 'failed', cancelled: 'cancelled' },
  // After a crash the work starts once more.
  processing: { started: 'processing', rendered: 'replicating', failed: 'failed', cancelled: 'cancelled' },
  replicating: { replicated: 'ready', failed: 'failed', cancelled: 'cancelled' },
  ready: { outdated: 'replicating', cancelled: 'cancelled' },
  failed: { cancelled: 'cancelled' },
  cancelled: {},
}

/** An event that the upload's state does not allow, such as a result for one that was cancelled meanwhile. */
export class WrongState extends Error {
  override readonly name = 'WrongState'
  readonly state: UploadState

  constructor(state: UploadState, event: UploadEvent) {
    super(`an upload that is ${state} cannot be ${event}`)
    this.state = state
  }
}

/** @throws WrongState */
export function nextState(state: UploadState, event: UploadEvent): UploadState {
  const next = transitions[state][event]
  if (next === undefined) throw new WrongState(state, event)
  return next
}

/** Whether nothing more will happen by itself. */
export function hasEnded(state: UploadState): boolean {
  return state === 'ready' || state === 'failed' || state === 'cancelled'
}

/** Whether there is work on its source still to do. */
export function isBeingProcessed(state: UploadState): boolean {
  return state === 'queued' || state === 'processing'
}
