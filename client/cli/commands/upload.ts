import { openAsBlob } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { isSubject, type Subject } from '@hexachord/protocol/names'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import {
  assertPublishable,
  publishingNotice,
  publishTrack,
  type TrackDetails,
} from '@hexachord/sdk/publishing'
import { forgetUpload, type UploadSource, uploadTrack } from '@hexachord/sdk/uploading'
import type { Command } from 'commander'
import { fileUploadMemory, keyStore, UsageError } from '../settings/index.ts'
import { ask, askPassword } from '../terminal/index.ts'
import { globalOptions, openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { showUpload } from './upload-progress.ts'

type Options = {
  title?: string
  artist?: string
  album?: string
  genre?: string
  description?: string
  licence: string
  iHoldTheRights?: true
  unlisted?: true
  replace?: string
}

export function addUploadCommand(program: Command, context: Context): void {
  program
    .command('upload')
    .description('publish a file as a track')
    .argument('<file>', 'any audio that ffmpeg reads')
    .option('--title <text>', "default: the file's tag, or its name")
    .option('--artist <text>', "default: the file's tag")
    .option('--album <text>')
    .option('--genre <text>')
    .option('--description <text>')
    .option('--licence <spdx>', 'such as CC-BY-4.0, or all-rights-reserved', 'all-rights-reserved')
    .option('--i-hold-the-rights', 'say so; asked for otherwise')
    .option('--unlisted', 'leave it out of lists and search (not secret)')
    .option('--replace <track>', 'replace the audio of this track; its name and links stay')
    .action((file: string, options: Options, self: Command) => upload(file, options, self, context))
}

async function upload(file: string, options: Options, self: Command, context: Context): Promise<void> {
  const { signal } = context
  const source = await sourceOf(file)
  const subject = subjectFrom(options.replace)
  assertPublishable({ title: 'unknown yet', artist: 'unknown yet', ...given(options), ...rights(options) })
  const { connection, settings } = await openConnection(self, context)
  await confirmRights(options, context)
  const key = await keyStore(settings.directory).open(() => askPassword(context, 'Password: '))
  const memory = fileUploadMemory(settings.directory)
  const shown = showUpload()
  let answer: UploadAnswer
  try {
    const onProgress = shown.show
    answer = await uploadTrack(connection, key, source, { memory, signal, onProgress, ...subject })
  } finally {
    shown.stop()
  }
  const publishingAt = performance.now()
  const track = await publishTrack(connection, key, answer, await detailsOf(options, answer, context), {
    signal,
  })
  await forgetUpload(memory, key, source)
  const now = performance.now()
  if (answer.receipts.length < answer.copies && !globalOptions(self).json) {
    process.stderr.write(`hexachord: only ${answer.receipts.length} of ${answer.copies} copies so far\n`)
  }
  print(
    self,
    {
      track: track.id,
      manifest: track.manifest,
      replicas: track.holders,
      ms: {
        upload: shown.sendingMs(),
        ...answer.ms,
        publish: Math.round(now - publishingAt),
        total: Math.round(now - context.startedAt),
      },
    },
    [
      `${track.title} by ${track.artist}`,
      track.id,
      `held by ${track.holders.length} operators`,
      `${connection.providers[0]?.origin}/v1/tracks/${track.id}/stream`,
    ].join('\n'),
  )
}

async function sourceOf(path: string): Promise<UploadSource> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be read`, { cause })
  })
  if (!info.isFile()) throw new UsageError(`${path} is not a file`)
  if (info.size === 0) throw new UsageError(`${path} is empty`)
  return {
    filename: basename(path),
    content: await openAsBlob(path),
    fingerprint: `${basename(path)} ${info.size} ${Math.round(info.mtimeMs)}`,
  }
}

function subjectFrom(replace: string | undefined): { subject?: Subject } {
  if (replace === undefined) return {}
  if (isSubject(replace)) return { subject: replace }
  throw new UsageError(`'${replace}' is no track id such as 0x…-123`)
}

async function confirmRights(options: Options, context: Context): Promise<void> {
  process.stderr.write(`${publishingNotice}\n`)
  if (options.iHoldTheRights) return
  const question = "Do you hold the rights to publish this recording? Type 'yes': "
  const answer = await ask(context, question, { instead: 'give --i-hold-the-rights' })
  if (answer.trim() !== 'yes') throw new UsageError('nothing was published')
}

/** What the file says of itself, under what the artist says of it. */
async function detailsOf(options: Options, upload: UploadAnswer, context: Context): Promise<TrackDetails> {
  const instead = 'the file names no artist: give --artist; what was uploaded is kept'
  const { title = upload.filename.replace(/\.[^.]+$/, ''), artist, ...tags } = upload.tags ?? {}
  return {
    title,
    artist: options.artist ?? artist ?? (await ask(context, 'Artist: ', { instead })),
    ...tags,
    ...given(options),
    ...rights(options),
  }
}

function given({ title, artist, album, genre, description, unlisted }: Options) {
  const all = { title, artist, album, genre, description, unlisted }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Partial<
    typeof all
  >
}

function rights({ licence }: Options) {
  return { licence, rightsHeld: true } as const
}
