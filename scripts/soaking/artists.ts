import { openAsBlob } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Subject } from '@hexachord/protocol/names'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { ApiError, type Connection } from '@hexachord/sdk/connect'
import { findTrack } from '@hexachord/sdk/finding'
import { type Account, createKey } from '@hexachord/sdk/keys'
import { publishTrack } from '@hexachord/sdk/publishing'
import { uploadTrack } from '@hexachord/sdk/uploading'
import { waitForAction, writeAction } from '@hexachord/sdk/writing'
import { pause } from '../local-network/pause.ts'
import { writeRecording } from './recording.ts'
import type { Repertoire } from './repertoire.ts'
import { reasonOf, type Tally } from './tally.ts'

export type ArtistOptions = {
  readonly connection: Connection
  readonly folder: string
  readonly repertoire: Repertoire
  readonly tally: Tally
  readonly random: () => number
  /** No new work is begun when it is aborted; what is under way is brought to its end. */
  readonly ending: AbortSignal
  /** Ends what is under way, too. */
  readonly signal: AbortSignal
}

/** More than these nobody keeps: each new one is followed by the end of the oldest. */
const mostWorks = 5
const leastWorks = 2
const restMs = 500
const tries = 4
const retryMs = 2_000

type Own = { upload: UploadAnswer; title: string }

/** Publishes, renames, replaces and takes back tracks of one's own until the run ends. */
export async function beArtist(name: string, options: ArtistOptions): Promise<void> {
  const { tally, random, ending, repertoire } = options
  const account = createKey()
  const works = new Map<Subject, Own>()
  let made = 0

  async function release(subject?: Subject): Promise<void> {
    made += 1
    const title = `${name}, piece ${made}`
    const file = await writeRecording({ ...options, name: `${name}-${made}` })
    try {
      await sendAndPublish(file, title, subject)
      tally.count(subject === undefined ? 'tracks published' : 'tracks replaced')
    } finally {
      await rm(file, { force: true })
    }
  }

  /** An operator may leave just after it has signed its receipt: then the file is sent again, for new ones. */
  async function sendAndPublish(file: string, title: string, subject?: Subject): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const upload = await send(account, file, subject, options)
      try {
        return await publish({ upload, title })
      } catch (error) {
        if (!isStaleReceipt(error) || attempt === tries) throw error
        tally.count('uploads sent again since an operator had left')
      }
    }
  }

  async function publish({ upload, title }: Own): Promise<void> {
    const track = await withRetries(options, () =>
      publishTrack(
        options.connection,
        account,
        upload,
        { title, artist: name, licence: 'CC0-1.0', rightsHeld: true },
        { signal: options.signal },
      ),
    )
    if (track.manifest !== upload.track?.manifest || track.title !== title)
      tally.fault('other tracks than published', `${track.id} says ${track.title}, not ${title}`)
    works.set(upload.subject, { upload, title })
    const { manifest, byteLength } = track
    repertoire.published({ subject: upload.subject, manifest, title, byteLength })
  }

  async function rename({ upload }: Own): Promise<void> {
    made += 1
    await publish({ upload, title: `${name}, under name ${made}` })
    tally.count('tracks renamed')
  }

  async function unpublish(subject: Subject): Promise<void> {
    repertoire.withdrawing(subject)
    await withRetries(options, () => deleteTrack(account, subject, options))
    works.delete(subject)
    repertoire.unpublished(subject)
    tally.count('tracks unpublished')
  }

  async function act(): Promise<void> {
    const [oldest] = works
    const chance = random()
    if (works.size < leastWorks || oldest === undefined) return release()
    if (works.size > mostWorks) return unpublish(oldest[0])
    if (chance < 0.4) return release()
    if (chance < 0.65) return release(anyOf([...works.keys()], random))
    if (chance < 0.8) return unpublish(anyOf([...works.keys()], random) ?? oldest[0])
    return rename(anyOf([...works.values()], random) ?? oldest[1])
  }

  do {
    try {
      await act()
    } catch (error) {
      if (options.signal.aborted) return
      tally.fault('failed acts of artists', `${name}: ${reasonOf(error)}`)
    }
  } while (await pause(restMs, ending))
}

async function send(
  account: Account,
  file: string,
  subject: Subject | undefined,
  { connection, tally, signal }: ArtistOptions,
): Promise<UploadAnswer> {
  try {
    const { size } = await stat(file)
    const upload = await uploadTrack(
      connection,
      account,
      { filename: path.basename(file), content: await openAsBlob(file), fingerprint: `${file} ${size}` },
      { signal, ...(subject === undefined ? {} : { subject }) },
    )
    tally.count('uploads acknowledged')
    tally.count('bytes uploaded', size)
    return upload
  } catch (error) {
    signal.throwIfAborted()
    tally.fault('failed uploads', `${path.basename(file)}: ${reasonOf(error)}`)
    throw error
  }
}

function isStaleReceipt(error: unknown): boolean {
  return error instanceof ApiError && error.problem?.endsWith(':invalid-receipt') === true
}

async function deleteTrack(
  account: Account,
  subject: Subject,
  { connection, signal }: ArtistOptions,
): Promise<void> {
  try {
    const track = await findTrack(connection, subject, { signal })
    const hash = await writeAction(
      connection,
      account,
      { kind: 'delete', subject, content: { prev: track.last.digest } },
      { signal },
    )
    await waitForAction(connection, hash, { signal })
  } catch (error) {
    // An earlier try had come through after all.
    if (!(error instanceof ApiError && error.status === 410)) throw error
  }
}

/** Each of what is retried may be done twice without harm. */
async function withRetries<T>({ signal, tally }: ArtistOptions, action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action()
    } catch (error) {
      if (signal.aborted || attempt === tries || isStaleReceipt(error)) throw error
      tally.count('acts tried again')
      await pause(retryMs * attempt, signal)
    }
  }
}

function anyOf<T>(values: readonly T[], random: () => number): T | undefined {
  return values[Math.floor(random() * values.length)]
}
