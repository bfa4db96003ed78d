import type { Json } from '@hexachord/protocol/canonical'
import type { Subject } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import type { Connection } from '../connect/index.ts'
import { findTrack } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { signNewAction } from '../writing/index.ts'
import { audioOf, currentTrack, type PublishOptions } from './publish-track.ts'
import { settleAndRead } from './settle-and-read.ts'
import { detailsOf, saysTheSame, type TrackDetails } from './track-details.ts'

/** What is to be said of a track; null takes a field away, what is left out stays as it is. */
export type TrackChanges = {
  readonly [Field in keyof Omit<TrackDetails, 'rightsHeld'>]?: TrackDetails[Field] | null | undefined
}

/** Says something else of a track. Its audio stays, and so do name, links and plays.
 * @returns it as discovery has it then
 * @throws ApiError (404 unknown, 410 deleted), ActionError, ActionRejected (`notAuthorised`; `notFound` for a track that it
 * is said to be made of), NotRelayed */
export async function changeTrack(
  connection: Connection,
  account: Account,
  subject: Subject,
  changes: TrackChanges,
  options: PublishOptions = {},
): Promise<Track> {
  const { signal } = options
  const before = await findTrack(connection, subject, signal ? { signal } : {})
  const said = Object.entries(changes).filter(([, value]) => value !== undefined)
  const all = Object.entries({ ...detailsOf(before), ...Object.fromEntries(said) })
  const details = Object.fromEntries(all.filter(([, value]) => value !== null)) as TrackDetails
  if (saysTheSame(before, details)) return before
  const content: Json = { prev: before.last.digest, ...audioOf(before), receipts: [], ...details }
  const { signed } = await signNewAction(connection, account, { kind: 'track', subject, content })
  return settleAndRead(connection, account, signed, () => currentTrack(connection, subject, options), options)
}
