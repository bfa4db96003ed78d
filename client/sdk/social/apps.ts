import type { AppContent } from '@hexachord/protocol/actions'
import { freshNumber, type Subject, subjectOf } from '@hexachord/protocol/names'
import { type App, appSchema } from '@hexachord/protocol/rest'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { type ActionOutcome, type SettleOptions, settleNewAction } from '../writing/index.ts'

/** What is to be said of an app; null takes a field away, what is left out stays. */
export type AppChanges = {
  readonly [Field in keyof Omit<AppContent, 'prev'>]?: AppContent[Field] | null
}

const fields = ['name', 'description', 'url', 'picture'] as const

/** Makes an app known, so that users see whose key it is that they let in.
 * @returns the app's name, which goes into delegations
 * @throws ActionError when it is malformed, ActionRejected, NotRelayed, ApiError */
export async function publishApp(
  connection: Connection,
  account: Account,
  app: Omit<AppContent, 'prev'>,
  options: SettleOptions = {},
): Promise<Subject> {
  const number = freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>))
  const subject = subjectOf(account.address, number)
  await settleNewAction(
    connection,
    account,
    { kind: 'app', subject, content: { prev: null, ...app } },
    options,
  )
  return subject
}

/** Says something else of an app. @throws ApiError (404, 410), ActionError, ActionRejected (`notAuthorised`), NotRelayed */
export async function changeApp(
  connection: Connection,
  account: Account,
  id: Subject,
  changes: AppChanges,
  options: SettleOptions = {},
): Promise<ActionOutcome> {
  const before = await findApp(connection, id, options.signal ? { signal: options.signal } : {})
  const said = { ...before, ...changes }
  const kept = fields.flatMap((field) => (said[field] ? [[field, said[field]]] : []))
  const content = { prev: before.last.digest, ...Object.fromEntries(kept) }
  return settleNewAction(connection, account, { kind: 'app', subject: id, content }, options)
}

/** Takes an app back: no key is let in under its name any more. Keys that were stay what they are, until they are revoked.
 * @throws ApiError (404, 410), ActionRejected, NotRelayed */
export async function deleteApp(
  connection: Connection,
  account: Account,
  id: Subject,
  options: SettleOptions = {},
): Promise<ActionOutcome> {
  const { last } = await findApp(connection, id, options.signal ? { signal: options.signal } : {})
  const content = { prev: last.digest }
  return settleNewAction(connection, account, { kind: 'delete', subject: id, content }, options)
}

/** @throws ApiError (404 unknown, 410 deleted) */
export function findApp(
  connection: Connection,
  id: Subject,
  options: { readonly signal?: AbortSignal } = {},
): Promise<App> {
  return connection.discover(`/v1/apps/${id}`, appSchema, options)
}
