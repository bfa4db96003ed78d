import type { CarriedTrack } from '@hexachord/protocol/cars'
import { importTrack, inspectCar } from '@hexachord/sdk/carrying'
import {
  assertPublishable,
  publishingNotice,
  publishTrack,
  type TrackDetails,
} from '@hexachord/sdk/publishing'
import { forgetUpload } from '@hexachord/sdk/uploading'
import type { Command } from 'commander'
import { fileUploadMemory, keyStore, UsageError } from '../settings/index.ts'
import { ask, askPassword, confirmed } from '../terminal/index.ts'
import { globalOptions, openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'
import { showUploads } from './upload-progress.ts'
import { sourceOf } from './upload-source.ts'

type Options = PayingOptions & {
  title?: string
  artist?: string
  album?: string
  genre?: string
  description?: string
  licence?: string
  iHoldTheRights?: true
  unlisted?: true
  invite?: string
}

export function addImportCommand(program: Command, context: Context): void {
  const command = program
    .command('import')
    .description('take in a track from a CAR file, as it is: nothing is encoded anew')
    .argument('<file>', 'as export writes it')
    .option('--title <text>', 'default: as in the file, like those that follow')
    .option('--artist <text>')
    .option('--album <text>')
    .option('--genre <text>')
    .option('--description <text>')
    .option('--licence <spdx>', 'such as CC-BY-4.0')
    .option('--i-hold-the-rights', 'say so; asked for otherwise')
    .option('--unlisted', 'leave it out of lists and search (not secret)')
    .option('--invite <code>', 'for a creator node that takes only whom it has invited')
  addPayingOptions(command).action((file: string, options: Options, self: Command) =>
    importFile(file, options, self, context),
  )
}

async function importFile(file: string, options: Options, self: Command, context: Context): Promise<void> {
  const { signal } = context
  const source = await sourceOf(file)
  const carried = await inspectCar(source.content, { signal })
  const details = await detailsFrom(carried, options, context)
  assertPublishable(details)
  const payerOf = payerFrom(options)
  const { connection, settings } = await openConnection(self, context)
  process.stderr.write(`${publishingNotice}\n`)
  const question = 'Do you hold the rights to publish this recording?'
  const isSaid =
    options.iHoldTheRights || (await confirmed(context, question, { instead: 'give --i-hold-the-rights' }))
  if (!isSaid) throw new UsageError('nothing was published')
  const key = await keyStore(settings.directory).openAuthor(() => askPassword(context, 'Password: '))
  const memory = fileUploadMemory(settings.directory)
  const shown = showUploads([source.filename], { json: globalOptions(self).json === true })
  try {
    const onProgress = (progress: Parameters<typeof shown.show>[1]) => shown.show(0, progress)
    const { invite } = options
    const renew = () => importTrack(connection, key, source, carried, { memory, signal, onProgress, invite })
    const upload = await renew()
    const payer = payerOf?.(key)
    const track = await publishTrack(connection, key, upload, details, {
      ...{ signal, renew },
      ...(payer && { payer }),
    })
    await forgetUpload(memory, key, source)
    shown.stop()
    print(
      self,
      { track: track.id, manifest: track.manifest, replicas: track.holders },
      `${track.title} by ${track.artist}\n${track.id}\nheld by ${track.holders.length} operators`,
    )
  } finally {
    shown.stop()
  }
}

/** What the file says, under what the artist says. */
async function detailsFrom(
  { carried }: CarriedTrack,
  { title, artist, album, genre, description, licence, unlisted }: Options,
  context: Context,
): Promise<TrackDetails> {
  const given = Object.entries({ title, artist, album, genre, description, licence, unlisted })
  const all = { ...carried?.details, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) }
  return {
    ...all,
    title: all.title ?? (await ask(context, 'Title: ', { instead: 'the file names none: give --title' })),
    artist: all.artist ?? (await ask(context, 'Artist: ', { instead: 'the file names none: give --artist' })),
    licence: all.licence ?? 'all-rights-reserved',
    rightsHeld: true,
  }
}
