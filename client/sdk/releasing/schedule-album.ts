import { namesPerAction } from '@hexachord/protocol/actions'
import type { Subject } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { type AlbumDetails, albumSteps, currentPlaylist } from '../publishing/index.ts'
import { signNewAction } from '../writing/index.ts'
import { holdBack, listReleases } from './held-releases.ts'
import { goodUntilMs, type Scheduled, WrongReleaseTime } from './schedule-track.ts'

/** A longer list takes several actions, each of which names the one before. @throws WrongReleaseTime */
export function assertFits(tracks: number): void {
  if (tracks <= namesPerAction) return
  throw new WrongReleaseTime(
    `an album of which nobody knows before has up to ${namesPerAction} tracks: release it without --album, and publish the album afterwards`,
  )
}

/**
 * Has the album held back by the node that holds its tracks, or the first of them: it comes with them.
 * @param options.isNew whether some of its tracks are; else what waits already is left as it is
 * @throws WrongReleaseTime, ActionError, ApiError
 */
export async function scheduleAlbum(
  connection: Connection,
  account: Account,
  { subject, tracks, ...details }: AlbumDetails & { subject: Subject; tracks: readonly Subject[] },
  { node, release, isNew }: Pick<Scheduled, 'node' | 'release'> & { readonly isNew: boolean },
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<Scheduled> {
  const { title } = details
  const { holdUntilMs } = release
  const known = (await listReleases(connection, account, node, { signal })).find((other) => {
    return other.subject === subject && other.state === 'waiting' && other.holdUntilMs === holdUntilMs
  })
  if (known && !isNew) return { release: known, node, title }
  const before = await currentPlaylist(connection, subject, { signal })
  const [said, ...more] = albumSteps(before, { tracks, ...details })
  if (more.length > 0) throw new WrongReleaseTime('the album is changed by more than one action can say')
  const content = { prev: before?.last.digest ?? null, ...said }
  const action = { kind: 'playlist', subject, content } as const
  const until = { goodUntilMs: goodUntilMs(holdUntilMs) }
  const { hash, signed } = await signNewAction(connection, account, action, until)
  const held = await holdBack(connection, account, node, { action: signed, hash, holdUntilMs }, { signal })
  return { release: held, node, title }
}
