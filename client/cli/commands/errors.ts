import { ActionError } from '@hexachord/protocol/actions'
import { NameError } from '@hexachord/protocol/names'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import { ApiError, NoProvider } from '@hexachord/sdk/connect'
import { KeyError } from '@hexachord/sdk/keys'
import { RenditionUnknown } from '@hexachord/sdk/playing'
import { UploadFailed } from '@hexachord/sdk/uploading'
import { ActionRejected } from '@hexachord/sdk/writing'
import { CommanderError } from 'commander'
import { UsageError } from '../settings/index.ts'

/** 0 done, 1 failed, 2 used wrongly, 3 not found, 4 the network is away, 5 the network said no, 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 130

const wrongUse = [CommanderError, UsageError, KeyError, RenditionUnknown, ActionError]

export function exitCodeOf(error: unknown): ExitCode {
  if (wrongUse.some((kind) => error instanceof kind)) return 2
  if (error instanceof NameError) return 3
  if (error instanceof NoProvider || error instanceof RetrievalFailed) return 4
  if (error instanceof UploadFailed || error instanceof ActionRejected) return 5
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
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, ' ')
}
