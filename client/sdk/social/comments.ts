import type { ReactionName } from '@hexachord/protocol/actions'
import { freshNumber, type Subject, subjectOf } from '@hexachord/protocol/names'
import { type Comment, commentSchema } from '@hexachord/protocol/rest'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { type ActionOutcome, settleNewAction } from '../writing/index.ts'
import { type SocialOptions, setRegister } from './registers.ts'

export type NewComment = {
  readonly track: Subject
  readonly text: string
  readonly replyTo?: Subject | undefined
  /** The moment of the track that it is about. */
  readonly positionMs?: number | undefined
}

/** Comments on a track, or answers a comment.
 * @returns the comment's name
 * @throws ActionError when it is malformed, ActionRejected (`muted`, `notFound`), NotRelayed, ApiError */
export async function comment(
  connection: Connection,
  account: Account,
  { track, text, replyTo, positionMs }: NewComment,
  { author = account.address, ...options }: SocialOptions = {},
): Promise<Subject> {
  const number = freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>))
  const subject = subjectOf(author, number)
  const content = {
    ...{ prev: null, track, text },
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(positionMs === undefined ? {} : { positionMs }),
  }
  await settleNewAction(connection, account, { kind: 'comment', subject, content }, options)
  return subject
}

/** Says a comment of one's own in other words. @throws ApiError (404), ActionRejected (`deleted`), NotRelayed */
export async function rewordComment(
  connection: Connection,
  account: Account,
  id: Subject,
  text: string,
  { author: _, ...options }: SocialOptions = {},
): Promise<ActionOutcome> {
  const { last, track, replyTo, positionMs } = await findComment(connection, id, options.signal)
  const content = {
    ...{ prev: last.digest, track, text },
    ...(replyTo === null ? {} : { replyTo }),
    ...(positionMs === null ? {} : { positionMs }),
  }
  return settleNewAction(connection, account, { kind: 'comment', subject: id, content }, options)
}

/** Deletes a comment of one's own. Its place in the thread stays, and what others have read of it.
 * @throws ApiError (404), ActionRejected, NotRelayed */
export async function deleteComment(
  connection: Connection,
  account: Account,
  id: Subject,
  { author: _, ...options }: SocialOptions = {},
): Promise<ActionOutcome> {
  const { last } = await findComment(connection, id, options.signal)
  const content = { prev: last.digest }
  return settleNewAction(connection, account, { kind: 'delete', subject: id, content }, options)
}

/** Reacts to a comment; null takes it back. @throws ActionRejected, NotRelayed, ApiError */
export function react(
  connection: Connection,
  account: Account,
  id: Subject,
  reaction: ReactionName | null,
  options: SocialOptions = {},
): Promise<ActionOutcome> {
  return setRegister(connection, account, { kind: 'react', content: { comment: id, reaction } }, options)
}

/** Puts a comment above all others of one's own track; null pins none. @throws ActionRejected, NotRelayed, ApiError */
export function pinComment(
  connection: Connection,
  account: Account,
  track: Subject,
  id: Subject | null,
  options: SocialOptions = {},
): Promise<ActionOutcome> {
  return setRegister(connection, account, { kind: 'pin', content: { comment: id }, subject: track }, options)
}

/** @throws ApiError (404); a deleted one is there, and says so */
export function findComment(
  connection: Connection,
  id: Subject,
  signal?: AbortSignal | undefined,
): Promise<Comment> {
  return connection.discover(`/v1/comments/${id}`, commentSchema, signal ? { signal } : {})
}
