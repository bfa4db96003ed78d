import type { HeldRelease, Track, UploadAnswer } from '@hexachord/protocol/rest'
import { ApiError, type Connection, pause } from '../connect/index.ts'
import { findTrack } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import {
  contentOf,
  currentTrack,
  receiptsOutdated,
  saysTheSame,
  type TrackDetails,
} from '../publishing/index.ts'
import { grantMs, type HeldUpload, type SavedUpload } from '../uploading/index.ts'
import { signNewAction, waitForAction } from '../writing/index.ts'
import { holdBack, readRelease, withdrawRelease } from './held-releases.ts'

/** What is asked for cannot be done with the time of a release. */
export class WrongReleaseTime extends Error {
  override readonly name = 'WrongReleaseTime'
}

export type Scheduled = {
  readonly release: HeldRelease
  /** Which holds it back. */
  readonly node: string
  readonly title: string
}

type Options = { readonly signal?: AbortSignal | undefined }

/** Before the upload is looked at again: see `publishTrack`. */
const renewPauseMs = 1_000
const maximumRenewals = 10

/** So long after its release an action is good: as long as operators hold the track for it. */
export function goodUntilMs(holdUntilMs: number): number {
  return holdUntilMs + grantMs
}

/** @throws WrongReleaseTime for one that is past, by this machine's clock */
export function assertAhead(connection: Pick<Connection, 'now'>, holdUntilMs: number): void {
  const now = connection.now()
  if (holdUntilMs > now) return
  throw new WrongReleaseTime(
    `the release at ${timeOf(holdUntilMs)} is past, by the clock of this machine, ${timeOf(now)}: give a later time, or none to publish it now; what was uploaded is kept`,
  )
}

/**
 * What became of a release that an earlier attempt has given to a node.
 * @param asked the time for which the release is wanted now; undefined to publish it now
 * @returns undefined when there is something left to do: it was withdrawn or refused, has to be signed anew, or is wanted for
 *   another time
 * @throws WrongReleaseTime when it waits and is to be published now, ActionRejected, ApiError
 */
export async function scheduledBefore(
  connection: Connection,
  account: Account,
  held: HeldUpload,
  { asked, subject, signal }: Options & { asked: number | undefined; subject: SavedUpload['subject'] },
): Promise<Scheduled | Track | undefined> {
  const { node, hash, holdUntilMs, title } = held
  const release = await readRelease(connection, account, held, { signal })
  if (release === undefined || release.state === 'refused') return undefined
  if (release.state === 'sent') {
    await waitForAction(connection, hash, { signal })
    return findTrack(connection, subject, signal ? { signal } : {})
  }
  if (asked === undefined) {
    throw new WrongReleaseTime(
      `it waits at ${node} for its release at ${timeOf(holdUntilMs)}: withdraw ${hash} before it is published otherwise`,
    )
  }
  const isAsAsked = release.state === 'waiting' && release.holdUntilMs === asked
  return isAsAsked ? { release, node, title } : undefined
}

/**
 * Signs the action that publishes an upload and gives it to the upload's node, which holds it back.
 * @param node that has the upload
 * @param options.held by an earlier attempt, perhaps elsewhere
 * @param options.onSigned awaited before anything is sent
 * @param options.renew as in `publishTrack`
 * @returns the track where it is published just so already
 * @throws ReceiptsOutdated, ActionError, ApiError
 */
export async function scheduleTrack(
  connection: Connection,
  account: Account,
  upload: UploadAnswer,
  details: TrackDetails,
  options: Options & {
    readonly node: () => Promise<string>
    readonly holdUntilMs: number
    readonly held: HeldUpload | undefined
    readonly onSigned: (held: HeldUpload) => Promise<void>
    readonly renew: () => Promise<UploadAnswer>
  },
): Promise<Scheduled | Track> {
  const { holdUntilMs, signal } = options
  const { subject } = upload
  const before = await currentTrack(connection, subject, { signal })
  if (before && before.manifest === upload.track?.manifest && saysTheSame(before, details)) return before
  let held = options.held
  let ready = upload
  for (let renewals = 0; ; renewals++) {
    assertAhead(connection, holdUntilMs)
    const node = await options.node()
    // Two nodes would release two.
    if (held && held.node !== node) await withdrawRelease(connection, account, held, { signal })
    const content = contentOf(ready, before, details)
    const action = { kind: 'track', subject, content } as const
    const until = { goodUntilMs: goodUntilMs(holdUntilMs) }
    const { hash, signed } = await signNewAction(connection, account, action, until)
    const { title } = details
    held = { node, hash, holdUntilMs, title }
    await options.onSigned(held)
    try {
      const given = { action: signed, hash, holdUntilMs }
      return { release: await holdBack(connection, account, node, given, { signal }), node, title }
    } catch (error) {
      const outdated = receiptsOutdated(error)
      if (outdated === undefined) throw explained(error, node)
      if (renewals === maximumRenewals) throw outdated
      await pause(renewPauseMs, signal)
      ready = await options.renew()
    }
  }
}

function explained(error: unknown, node: string): unknown {
  if (!(error instanceof ApiError) || error.status !== 404) return error
  const { url } = error
  return new ApiError(`${node} holds nothing back until a release: use another creator node`, {
    ...{ status: 501, url, cause: error },
  })
}

function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
