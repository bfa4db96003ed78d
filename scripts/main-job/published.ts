import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Subject } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import { ApiError, type Connection } from '@hexachord/sdk/connect'
import { findTrack } from '@hexachord/sdk/finding'

/** The track of a file that an earlier start has published, if the network still has it. */
export async function publishedBefore(
  connection: Connection,
  directory: string,
  sha256: string,
  signal: AbortSignal,
): Promise<Track | undefined> {
  const subject = (await readPublished(directory))[sha256]
  if (subject === undefined) return undefined
  try {
    return await findTrack(connection, subject, { signal })
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 410)) return undefined
    throw error
  }
}

export async function rememberPublished(directory: string, sha256: string, track: Subject): Promise<void> {
  const file = fileIn(directory)
  await writeFile(`${file}.tmp`, JSON.stringify({ ...(await readPublished(directory)), [sha256]: track }))
  await rename(`${file}.tmp`, file)
}

async function readPublished(directory: string): Promise<Record<string, Subject | undefined>> {
  try {
    return JSON.parse(await readFile(fileIn(directory), 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw error
  }
}

/** Beside the state of the network, and gone with it. */
function fileIn(directory: string): string {
  return path.join(directory, 'data', 'published.json')
}
