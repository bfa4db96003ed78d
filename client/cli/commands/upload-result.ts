import type { Playlist } from '@hexachord/protocol/rest'
import type { Connection } from '@hexachord/sdk/connect'
import type { ReleasedAlbum, ReleasedFile } from '@hexachord/sdk/releasing'
import type { Command } from 'commander'
import { globalOptions, print } from './connection.ts'
import type { Context } from './context.ts'
import { Incomplete, messageOf } from './errors.ts'
import { describeRelease, releaseFields, timeInWords } from './upload-release.ts'

type Printed = {
  readonly paths: readonly string[]
  readonly files: readonly ReleasedFile[]
  readonly album: Playlist | undefined
  readonly isAlbum: boolean
  /** The album, where it waits for its release. */
  readonly heldAlbum: ReleasedAlbum['held']
  /** ms of each file. */
  readonly times: readonly { readonly upload: number; readonly publish: number }[]
  readonly context: Context
  readonly connection: Connection
}

/** Prints what became of the files. @throws what went wrong with a single file, Incomplete when some of several failed */
export function printUploads(self: Command, printed: Printed): void {
  const [only] = printed.files
  if (printed.files.length === 1 && only) printOne(self, only, printed)
  else printSeveral(self, printed)
}

type Published = Extract<ReleasedFile, { state: 'published' }>

function printOne(self: Command, file: ReleasedFile, { times, context, connection }: Printed): void {
  if (file.state === 'failed') throw file.error
  if (file.state === 'ready') throw new TypeError('a single file waits for no other')
  if (file.state === 'scheduled') {
    print(self, releaseFields(file), describeRelease(file).join('\n'))
    return
  }
  const { track, upload } = file
  if (globalOptions(self).json !== true) {
    for (const note of notesOf(file)) process.stderr.write(`hexachord: ${note}\n`)
  }
  print(
    self,
    {
      ...fieldsOf(file),
      ms: { ...times[0], ...upload?.ms, total: Math.round(performance.now() - context.startedAt) },
    },
    [
      `${track.title} by ${track.artist}`,
      track.id,
      `held by ${track.holders.length} operators`,
      `${connection.providers[0]?.origin}/v1/tracks/${track.id}/stream`,
    ].join('\n'),
  )
}

function printSeveral(self: Command, { paths, files, album, heldAlbum, isAlbum, context }: Printed): void {
  const lines = files.map((file, index) => {
    const path = paths[index]
    if (file.state === 'failed') return `failed     ${path}  ${messageOf(file.error)}`
    if (file.state === 'ready') return `waiting    ${path}  is ready, for the others`
    if (file.state === 'scheduled') {
      const { title, subject, release } = file
      return `scheduled  ${subject}  ${title}, at ${timeInWords(release.holdUntilMs)}`
    }
    const notes = notesOf(file).map((note) => `; ${note}`)
    return `published  ${file.track.id}  ${file.track.title} by ${file.track.artist}${notes.join('')}`
  })
  if (album) lines.push(`album      ${album.id}  ${album.title}, ${album.trackIds.length} tracks`)
  if (heldAlbum) {
    lines.push(
      `album      ${heldAlbum.release.subject}  ${heldAlbum.title}, at ${timeInWords(heldAlbum.release.holdUntilMs)}`,
    )
  }
  const total = Math.round(performance.now() - context.startedAt)
  const described = files.map((file, index) => {
    const base = { file: paths[index], state: file.state }
    if (file.state === 'published') return { ...base, ...fieldsOf(file) }
    if (file.state === 'scheduled') return { ...base, ...releaseFields(file) }
    return file.state === 'failed' ? { ...base, step: file.step, error: messageOf(file.error) } : base
  })
  print(
    self,
    {
      ...(isAlbum ? { album: album?.id ?? heldAlbum?.release.subject ?? null } : {}),
      files: described,
      ms: { total },
    },
    lines.join('\n'),
  )
  const failed = files.filter((file) => file.state === 'failed')
  if (failed[0]) {
    const waits = files.some(({ state }) => state === 'scheduled')
    const kept = waits
      ? "what is scheduled comes at its time, unless 'hexachord releases cancel' withdraws it"
      : isAlbum
        ? 'nothing of the album is lost or published half'
        : 'what was published stays'
    throw new Incomplete(
      `${failed.length} of ${files.length} files failed; ${kept}: the same command goes on with what lacks`,
      failed[0].error,
    )
  }
}

function fieldsOf({ track, upload, before }: Published) {
  return {
    track: track.id,
    manifest: track.manifest,
    replicas: track.holders,
    reused: before || (upload?.reused ?? false),
    notes: upload?.notes ?? [],
  }
}

function notesOf({ upload, before }: Published): string[] {
  if (before) return ['it was published before, and cost nothing now: --again publishes it once more']
  if (upload === undefined) return []
  const { receipts, copies, reused, notes } = upload
  return [
    ...(reused
      ? ['the node had made this very file before: nothing was made again, and it cost nothing']
      : []),
    ...(receipts.length < copies ? [`only ${receipts.length} of ${copies} copies so far`] : []),
    ...notes,
  ]
}
