import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { isSubject } from '@hexachord/protocol/names'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { publishingNotice, publishTrack, type TrackDetails } from '@hexachord/sdk/publishing'
import { type Progress, uploadTrack } from '@hexachord/sdk/uploading'
import { Command } from 'commander'
import { fileUploadMemory, keyStore, UsageError } from '../settings/index.ts'
import { ask, askPassword, progressBar } from '../terminal/index.ts'
import { globalOptions, openConnection, print } from './connection.ts'
import type { Context } from './index.ts'

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

export function uploadCommand(context: Context): Command {
  return new Command('upload')
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
    .action(async (file: string, options: Options, self: Command) => {
      const { connection, settings } = await openConnection(self, context)
      const source = await sourceOf(file)
      await confirmRights(options)
      if (options.replace !== undefined && !isSubject(options.replace)) {
        throw new UsageError(`'${options.replace}' is no track id such as 0x…-123`)
      }
      const key = await keyStore(settings.directory).open(await askPassword(context.env, 'Password: '))
      const bars = progressBars()
      const startedAt = performance.now()
      let upload: UploadAnswer
      try {
        upload = await uploadTrack(connection, key, source, {
          memory: fileUploadMemory(settings.directory),
          signal: context.signal,
          onProgress: bars.show,
          ...(options.replace ? { subject: options.replace as UploadAnswer['subject'] } : {}),
        })
      } finally {
        bars.stop()
      }
      const track = await publishTrack(connection, key, upload, detailsOf(options, upload), {
        signal: context.signal,
      })
      const provider = connection.providers[0]?.origin ?? ''
      print(
        self,
        {
          track: track.id,
          manifest: track.manifest,
          replicas: track.holders,
          ms: { total: Math.round(performance.now() - startedAt) },
        },
        `${track.title} by ${track.artist}\n${track.id}\nheld by ${track.holders.length} operators\n${provider}/v1/tracks/${track.id}/stream`,
      )
      if (upload.receipts.length < upload.copies && !globalOptions(self).json) {
        process.stderr.write(`only ${upload.receipts.length} of ${upload.copies} copies so far\n`)
      }
    })
}

async function sourceOf(path: string) {
  const info = await stat(path).catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be read`, { cause })
  })
  if (!info.isFile()) throw new UsageError(`${path} is not a file`)
  if (info.size === 0) throw new UsageError(`${path} is empty`)
  return {
    filename: basename(path),
    byteLength: info.size,
    fingerprint: `${basename(path)} ${info.size} ${Math.round(info.mtimeMs)}`,
    open: () => createReadStream(path) as unknown as Blob,
  }
}

async function confirmRights(options: Options): Promise<void> {
  process.stderr.write(`${publishingNotice}\n`)
  if (options.iHoldTheRights) return
  const answer = await ask("Do you hold the rights to publish this recording? Type 'yes': ")
  if (answer.trim() !== 'yes') throw new UsageError('nothing was published')
}

function detailsOf(options: Options, upload: UploadAnswer): TrackDetails {
  const { title = upload.tags?.title, artist = upload.tags?.artist } = options
  if (!artist) throw new UsageError('the file names no artist: give --artist')
  const { album = upload.tags?.album, genre = upload.tags?.genre, description, unlisted } = options
  return {
    title: title ?? upload.filename.replace(/\.[^.]+$/, ''),
    artist,
    licence: options.licence,
    rightsHeld: true,
    ...(album ? { album } : {}),
    ...(genre ? { genre } : {}),
    ...(description ? { description } : {}),
    ...(upload.tags?.isrc ? { isrc: upload.tags.isrc } : {}),
    ...(unlisted ? { unlisted } : {}),
  }
}

function progressBars() {
  let current: { step: string; bar: ReturnType<typeof progressBar> } | undefined
  const on = (step: string, unit: 'bytes' | 'parts' | 'segments') => {
    if (current?.step !== step) {
      current?.bar.stop()
      current = { step, bar: progressBar(step, unit) }
    }
    return current.bar
  }
  return {
    show(progress: Progress): void {
      if (progress.step === 'sending') {
        on('sending', 'bytes').update(progress.sentBytes, progress.totalBytes)
        return
      }
      const { upload } = progress
      if (upload.state === 'processing') {
        const total = (upload.source?.durationMs ?? 0) * upload.renditions.length
        const done = upload.renditions.reduce((sum, rendition) => sum + rendition.doneMs, 0)
        if (total > 0) on('transcoding', 'parts').update(Math.round(done / 1000), Math.round(total / 1000))
      }
      if (upload.state === 'replicating') on('copies', 'parts').update(upload.receipts.length, upload.copies)
    },
    stop: () => current?.bar.stop(),
  }
}
