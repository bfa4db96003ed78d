import type { NoticeContent } from '@hexachord/protocol/actions'
import { freshNumber, type Hash, type Subject, subjectOf } from '@hexachord/protocol/names'
import { ApiError, type Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { settleAction, signNewAction, waitForAction } from '../writing/index.ts'
import type { PublishOptions } from './publish-track.ts'
import { entityOf } from './unpublish.ts'

/** To be shown before a notice is published. */
export const noticePublicity =
  'A notice takes nothing down by itself: each operator chooses whose notices it honours. It is public and stands on the ' +
  'chain for good, with its statement and contact; withdrawing it later ends its effect and not its memory.'

export type Notice = Omit<NoticeContent, 'prev'>

/** Claims in public that a track should not be held or served. The track need not be the account's.
 * @returns the notice's name, and the hash of its action: what `withdrawNotice` wants
 * @throws ActionError when the notice is malformed, ActionRejected, NotRelayed, ApiError */
export async function publishNotice(
  connection: Connection,
  account: Account,
  notice: Notice,
  options: PublishOptions = {},
): Promise<{ notice: Subject; action: Hash }> {
  const number = freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>))
  const subject = subjectOf(account.address, number)
  const content = { prev: null, ...notice }
  const { signed } = await signNewAction(connection, account, { kind: 'notice', subject, content })
  const { hash } = await settleAction(connection, account, signed, options)
  return { notice: subject, action: hash }
}

/** Ends the effect of a notice of the account.
 * @param action hash of the action by which it was published
 * @returns the notice's name
 * @throws ActionRejected (`stalePrev` when it was withdrawn before), NotRelayed, ApiError (404 when it published no notice) */
export async function withdrawNotice(
  connection: Connection,
  account: Account,
  action: Hash,
  options: PublishOptions = {},
): Promise<Subject> {
  const { signal } = options
  const { status } = await waitForAction(connection, action, { signal, timeoutMs: 10_000 })
  const { subject } = status
  if (subject === undefined || (await isAnythingElse(connection, subject, signal))) {
    throw new ApiError(`action ${action} published no notice`, { status: 404, url: '' })
  }
  const content = { prev: action }
  const { signed } = await signNewAction(connection, account, { kind: 'delete', subject, content })
  await settleAction(connection, account, signed, options)
  return subject
}

/** A deletion ends whatever has the name: a mistaken hash must not cost a track. */
async function isAnythingElse(
  connection: Connection,
  subject: Subject,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await entityOf(connection, subject, signal)
    return true
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false
    throw error
  }
}
