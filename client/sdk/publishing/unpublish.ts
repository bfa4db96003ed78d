import type { Hash, Subject } from '@hexachord/protocol/names'
import { ApiError, type Connection, isGone } from '../connect/index.ts'
import { findPlaylist, findTrack } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { findApp, findComment } from '../social/index.ts'
import { settleAction, signNewAction } from '../writing/index.ts'
import type { PublishOptions } from './publish-track.ts'

/** To be shown before anything is unpublished. */
export const unpublishingNotice =
  'Unpublishing ends listings and plays by the network: no operator makes new copies, and those that hold it let go of it ' +
  'after a grace time. It cannot reach copies that others have made, nor what stands on the chain: the title, the artist ' +
  'and the name of the audio. The track id is gone for ever; nothing else can be published under it.'

/** Deletes a track, a playlist, a comment or an app. Its number is a tombstone for ever.
 * @returns the hash of the action, or undefined when it was deleted already
 * @throws ActionRejected (`notAuthorised` when it is not the account's), NotRelayed, ApiError (404 for none; 410 when the
 * provider has taken it down: ask another one) */
export async function unpublish(
  connection: Connection,
  account: Account,
  subject: Subject,
  options: PublishOptions = {},
): Promise<Hash | undefined> {
  try {
    const entity = await entityOf(connection, subject, options.signal)
    if (entity.deleted) return undefined
    const content = { prev: entity.last.digest }
    const { signed } = await signNewAction(connection, account, { kind: 'delete', subject, content })
    const { hash } = await settleAction(connection, account, signed, options)
    return hash
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

type Entity = { readonly last: { readonly digest: Hash }; readonly deleted?: boolean }

/** Nothing says of which kind a name is. @throws ApiError (404 for none) */
export async function entityOf(
  connection: Connection,
  subject: Subject,
  signal: AbortSignal | undefined,
): Promise<Entity> {
  const options = signal ? { signal } : {}
  const kinds: readonly (() => Promise<Entity>)[] = [
    () => findTrack(connection, subject, options),
    () => findPlaylist(connection, subject, options),
    () => findComment(connection, subject, signal),
    () => findApp(connection, subject, options),
  ]
  let last: unknown
  for (const find of kinds) {
    try {
      return await find()
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error
      last = error
    }
  }
  throw last
}
