import { openAsBlob } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { renditionName } from '@hexachord/protocol/manifests'
import type { Track } from '@hexachord/protocol/rest'
import type { Connection } from '@hexachord/sdk/connect'
import { createKey, type HeldKey } from '@hexachord/sdk/keys'
import { openTrack } from '@hexachord/sdk/playing'
import { publishTrack } from '@hexachord/sdk/publishing'
import { sourceOf, uploadTrack } from '@hexachord/sdk/uploading'

/** Publishes a file as an artist would. @returns the track, held by three operators */
export async function publishFile(
  connection: Connection,
  file: string,
  signal: AbortSignal,
  account: HeldKey = createKey(),
): Promise<Track> {
  const source = sourceOf(new File([await openAsBlob(file)], path.basename(file)))
  const upload = await uploadTrack(connection, account, source, { signal })
  const details = { title: 'Start', artist: 'Bench', licence: 'CC0-1.0', rightsHeld: true } as const
  return publishTrack(connection, account, upload, details, { signal })
}

/** Writes a track as files that any web server can give: `master.m3u8`, playlists beside it, and the very same blocks. */
export async function writeTrackFiles(
  connection: Connection,
  track: Track,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const { loaded, master, media, block } = await openTrack(connection, track, { signal })
  await mkdir(folder, { recursive: true })
  await writeFile(
    path.join(folder, 'master.m3u8'),
    master((_, name) => `${name}.m3u8`),
  )
  for (const [index, rendition] of loaded.renditions.entries()) {
    const uri = (cid: string) => `${cid}.m4s`
    await writeFile(path.join(folder, `${renditionName(loaded, index)}.m3u8`), media(index, uri))
    for (const link of [rendition.init.data, ...rendition.segments.map(([, , link]) => link)]) {
      const { bytes } = await block(link['/'], signal)
      await writeFile(path.join(folder, uri(link['/'])), bytes)
    }
  }
}
