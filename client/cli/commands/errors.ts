import { ActionError } from '@hexachord/protocol/actions'
import { CarError } from '@hexachord/protocol/cars'
import { NameError } from '@hexachord/protocol/names'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import { ApiError, NoProvider } from '@hexachord/sdk/connect'
import { KeyError } from '@hexachord/sdk/keys'
import { NodeRefused, PaymentNeeded, TransactionFailed } from '@hexachord/sdk/paying'
import { RenditionUnknown, TrackLocked } from '@hexachord/sdk/playing'
import { NoPayments } from '@hexachord/sdk/premium'
import { ReceiptsOutdated } from '@hexachord/sdk/publishing'
import { WrongReleaseTime } from '@hexachord/sdk/releasing'
import { NotPremium, UploadFailed } from '@hexachord/sdk/uploading'
import { ActionRejected, NotRelayed, PaymentFailed } from '@hexachord/sdk/writing'
import { CommanderError } from 'commander'
import { UsageError } from '../settings/index.ts'

/** 0 done, 1 failed, 2 used wrongly, 3 not found, 4 the network is away, 5 the network said no, 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 130

/** Ctrl-C, or the end of the session, while an upload was under way. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'

  constructor() {
    super(
      "interrupted: what was sent is kept; the same command goes on with it, and 'hexachord cancel' gives it up",
    )
  }
}

/** Some of several files failed, and the result says which; `cause` is the error of the first. */
export class Incomplete extends Error {
  override readonly name = 'Incomplete'

  constructor(message: string, cause: unknown) {
    super(message, { cause })
  }
}

const wrongUse = [
  CommanderError,
  UsageError,
  KeyError,
  RenditionUnknown,
  ActionError,
  CarError,
  WrongReleaseTime,
]

const refusals = [
  ...[UploadFailed, ReceiptsOutdated, ActionRejected, PaymentFailed],
  ...[PaymentNeeded, NodeRefused, TransactionFailed, TrackLocked, NoPayments, NotPremium],
]

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Incomplete) return exitCodeOf(error.cause)
  if (wrongUse.some((kind) => error instanceof kind)) return 2
  if (error instanceof NameError) return 3
  if (error instanceof NoProvider || error instanceof RetrievalFailed) return 4
  if (refusals.some((kind) => error instanceof kind)) return 5
  if (error instanceof ApiError) {
    if (error.status === 404 || error.status === 410) return 3
    return error.status === 0 || error.status >= 500 ? 4 : 5
  }
  return 1
}

/** One line for people. */
export function messageOf(error: unknown): string {
  if (error instanceof CommanderError) {
    if (error.code === 'commander.help') return "a command is missing: 'hexachord --help' lists them"
    return error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')
  }
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, ' ')
  // The action is signed and kept: only its way to the chain is missing.
  if (!(error instanceof NotRelayed)) return message
  return `${message}; or give --pay --rpc <url> to send the action yourself: nothing is made or signed again`
}
