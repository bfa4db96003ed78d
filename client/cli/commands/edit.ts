import { findTrack } from '@hexachord/sdk/finding'
import { assertPublishable, changeTrack, detailsOf, type TrackDetails } from '@hexachord/sdk/publishing'
import { type Command, Option } from 'commander'
import { UsageError } from '../settings/index.ts'
import { openAccount, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'
import { addDetailsOptions, type DetailsOptions, readDetails, tagsUpon } from './track-options.ts'

const clearable = [
  ...['album', 'genre', 'mood', 'tags', 'description', 'isrc', 'releaseAtMs', 'remixOf', 'stemOf', 'credits'],
] as const

type Options = PayingOptions &
  DetailsOptions & {
    title?: string
    artist?: string
    album?: string
    genre?: string
    description?: string
    licence?: string
    unlisted?: true
    listed?: true
    clear?: string[]
  }

export function addEditCommand(program: Command, context: Context): void {
  const command = program
    .command('edit')
    .description('say something else of a track of yours; its audio, id, links and plays stay')
    .argument('<track>', 'its id, or a link that holds it')
    .option('--title <text>')
    .option('--artist <text>')
    .option('--album <title>')
    .option('--genre <text>')
    .option('--description <text>')
    .option('--licence <spdx>', 'such as CC-BY-4.0')
    .option('--unlisted', 'leave it out of lists and search from now on (not secret)')
    .option('--listed', 'the opposite')
  addDetailsOptions(command).addOption(
    new Option('--clear <fields...>', 'take these away').choices(clearable),
  )
  addPayingOptions(command).action((text: string, options: Options, self: Command) =>
    edit(text, options, self, context),
  )
}

async function edit(text: string, options: Options, self: Command, context: Context): Promise<void> {
  const { signal } = context
  const subject = subjectIn(text, 'track id')
  const { title, artist, album, genre, description, licence, unlisted, listed, clear = [] } = options
  if (unlisted && listed) throw new UsageError('give --listed or --unlisted, not both')
  const texts = { title, artist, album, genre, description, licence, unlisted: listed ? false : unlisted }
  const said = {
    ...(await readDetails(options)),
    ...Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== undefined)),
  }
  const both = clear.find((field) => field in said)
  if (both !== undefined) throw new UsageError(`${both} cannot be said and cleared`)
  if (Object.keys(said).length + clear.length === 0) {
    throw new UsageError("nothing is to be changed: 'hexachord edit --help' lists what can be")
  }
  assertPublishable({
    ...{ title: 'as it is', artist: 'as it is', licence: 'as-it-is', rightsHeld: true },
    ...said,
  } as TrackDetails)
  const payerOf = payerFrom(options)
  const { connection, account } = await openAccount(self, context)
  const before = detailsOf(await findTrack(connection, subject, { signal }))
  const tags = options.details === undefined ? tagsUpon(before.tags ?? [], options) : said.tags
  const changes = {
    ...said,
    ...(tags === undefined ? {} : { tags }),
    ...Object.fromEntries(clear.map((field) => [field, null])),
  }
  const track = await changeTrack(connection, account, subject, changes, {
    signal,
    payer: payerOf?.(account),
  })
  print(
    self,
    { track: track.id, ...changes, action: track.last.digest },
    `${track.id}  ${track.title} by ${track.artist}`,
  )
}
