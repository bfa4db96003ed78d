import { checked } from '@hexachord/protocol/checked'
import { type Hash, type Subject, subjectSchema } from '@hexachord/protocol/names'
import * as z from 'zod'
import { ApiError, type Connection } from '../connect/index.ts'
import { findPlaylist } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { type ActionOutcome, type SettleOptions, settleNewAction } from '../writing/index.ts'
import { openSealed, SealError, type SealingKey, seal } from './seal.ts'

/** To be shown before a private playlist is written. */
export const privatePlaylistNotice =
  'Only the readers you name can see what is in a private playlist. Everybody can see that it is there, about how long it ' +
  'is, and when you change it. A reader keeps what was once readable, also when you leave the reader out later.'

/** What a private playlist says to its readers. About eighty tracks fit into one. */
export type PrivatePlaylist = {
  readonly title: string
  readonly description?: string | undefined
  readonly tracks: readonly Subject[]
}

const playlistSchema = z.object({
  title: z.string(),
  description: z.string().optional(),
  tracks: z.array(subjectSchema),
})

/** Makes a private playlist, or replaces what one says and who can read it.
 * @param readers sealing keys, that of the account among them
 * @throws SealError, ActionError when it is too long, ActionRejected, NotRelayed, ApiError */
export async function writePrivatePlaylist(
  connection: Connection,
  account: Account,
  { subject, readers, playlist }: { subject: Subject; readers: readonly string[]; playlist: PrivatePlaylist },
  options: SettleOptions = {},
): Promise<ActionOutcome> {
  const { title, description, tracks } = playlist
  const said = { title, tracks: [...tracks], ...(description === undefined ? {} : { description }) }
  const prev = await lastDigest(connection, subject, options.signal)
  const content = { prev, sealed: seal(said, { subject, readers }) }
  return settleNewAction(connection, account, { kind: 'playlist', subject, content }, options)
}

/** @throws SealError when it is public, or private for others; ApiError (404 unknown, 410 deleted) */
export async function openPrivatePlaylist(
  connection: Connection,
  id: Subject,
  key: SealingKey,
  { signal }: { signal?: AbortSignal } = {},
): Promise<PrivatePlaylist> {
  const { sealed } = await findPlaylist(connection, id, signal ? { signal } : {})
  if (sealed === null) throw new SealError(`${id} is not private`)
  const parsed = checked(playlistSchema, openSealed(sealed, { subject: id, key }))
  if (parsed.success) return parsed.data
  throw new SealError('what was sealed is no playlist')
}

async function lastDigest(
  connection: Connection,
  id: Subject,
  signal: AbortSignal | undefined,
): Promise<Hash | null> {
  try {
    return (await findPlaylist(connection, id, signal ? { signal } : {})).last.digest
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null
    throw error
  }
}
