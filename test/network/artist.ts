import { openAsBlob } from 'node:fs'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { readNetworkFile } from '@hexachord/contracts/networks'
import type { KindName } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { Hash, Subject } from '@hexachord/protocol/names'
import type { ActionStatus, Track, UploadAnswer } from '@hexachord/protocol/rest'
import { type Connection, connect } from '@hexachord/sdk/connect'
import { type Account, createKey } from '@hexachord/sdk/keys'
import { publishTrack, type TrackDetails } from '@hexachord/sdk/publishing'
import { type UploadSource, type UploadTrackOptions, uploadTrack } from '@hexachord/sdk/uploading'
import { tokenFor, waitForAction, writeAction } from '@hexachord/sdk/writing'

/** Someone new who publishes through the SDK, as an app would. */
export type Artist = {
  readonly account: Account
  readonly connection: Connection
  upload(file: string, options?: UploadTrackOptions): Promise<UploadAnswer>
  publish(upload: UploadAnswer, details?: Partial<TrackDetails>): Promise<Track>
  /** Uploads and publishes. */
  release(file: string, details?: Partial<TrackDetails>): Promise<{ upload: UploadAnswer; track: Track }>
  /** Writes an action through the creator node and waits until it is applied. @throws ActionRejected, ApiError */
  write(kind: KindName, subject: Subject, content: Json): Promise<{ hash: Hash; status: ActionStatus }>
  /** `Authorization` header for the creator node, or another audience. */
  token(audience?: string): Promise<string>
}

type Urls = { creator: string; discovery: string }

/** Connects to a network as a client that was told where it is. */
export async function connectTo(network: { urls: Urls; networkFile: string }): Promise<Connection> {
  const { urls, networkFile } = network
  const { chainId, contracts } = await readNetworkFile(networkFile)
  return connect({
    discovery: [urls.discovery],
    creators: [urls.creator],
    network: { chainId, contracts },
    signal: AbortSignal.timeout(10_000),
  })
}

/** @param account of somebody who is known already. @default a fresh one */
export async function newArtist(
  network: { urls: Urls; networkFile: string },
  account: Account = createKey(),
): Promise<Artist> {
  const connection = await connectTo(network)
  const artist: Artist = {
    account,
    connection,
    async upload(file, options) {
      return uploadTrack(connection, account, await sourceOf(file), options)
    },
    publish: (upload, details) =>
      publishTrack(connection, account, upload, {
        title: 'Six seconds',
        artist: 'Test artist',
        licence: 'CC0-1.0',
        rightsHeld: true,
        ...details,
      }),
    async release(file, details) {
      const upload = await artist.upload(file)
      return { upload, track: await artist.publish(upload, details) }
    },
    async write(kind, subject, content) {
      const hash = await writeAction(connection, account, { kind, subject, content })
      return waitForAction(connection, hash)
    },
    token: (audience = network.urls.creator) => tokenFor(connection, account, audience),
  }
  return artist
}

export async function sourceOf(file: string): Promise<UploadSource> {
  const { size, mtimeMs } = await stat(file)
  return {
    filename: path.basename(file),
    content: await openAsBlob(file),
    fingerprint: `${file} ${size} ${mtimeMs}`,
  }
}
