import type { Playlist } from '@hexachord/protocol/rest'
import { changePlaylist, createPlaylist } from '@hexachord/sdk/publishing'
import type { Command } from 'commander'
import { UsageError } from '../settings/index.ts'
import { openAccount, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'
import { pictureIn } from './picture.ts'

type Said = PayingOptions & {
  title?: string
  description?: string
  cover?: string
  album?: true
  unlisted?: true
  listed?: true
}

const coverHelp = 'the name (CID) of a picture that somebody holds, or a track whose cover it is'

export function addPlaylistCommand(program: Command, context: Context): void {
  const { signal } = context
  const command = program
    .command('playlist')
    .description('make and change playlists that everybody can see')
    .addHelpText('after', "\n'hexachord unpublish' takes one back.")
  const tracksIn = (texts: readonly string[]) => texts.map((text) => subjectIn(text, 'track id'))
  const tell = (self: Command, { id, title, trackIds }: Playlist) =>
    print(self, { playlist: id, title, trackIds }, `${id}  ${title}, ${trackIds.length} tracks`)

  const create = command
    .command('create')
    .description('make one')
    .argument('<title>')
    .argument('[tracks...]', 'their ids, or links that hold them, in order')
    .option('--description <text>')
    .option('--cover <picture>', coverHelp)
    .option('--album', 'it is an album')
    .option('--unlisted', 'in no list and no search; who has its id sees it')
  addPayingOptions(create).action(
    async (title: string, texts: string[], { cover: text, pay, rpc, ...said }: Said, self: Command) => {
      const add = tracksIn(texts)
      const payerOf = payerFrom({ pay, rpc })
      const picture = text === undefined ? undefined : pictureIn(text)
      const { connection, account } = await openAccount(self, context)
      const options = { signal, payer: payerOf?.(account) }
      const cover = picture && (await picture(connection, { signal }))
      const { description, album, unlisted } = said
      const playlist = { title, description, album, unlisted, cover, add }
      tell(self, await createPlaylist(connection, account, playlist, options))
    },
  )

  for (const [name, what] of [
    ['add', 'put tracks at its end; one that is in it already stays where it is'],
    ['remove', 'take tracks out'],
  ] as const) {
    const changing = command
      .command(name)
      .description(what)
      .argument('<playlist>', 'its id, or a link that holds it')
      .argument('<tracks...>', 'their ids, or links that hold them')
    addPayingOptions(changing).action(
      async (text: string, texts: string[], paying: PayingOptions, self: Command) => {
        const playlist = subjectIn(text, 'playlist')
        const changes = { [name]: tracksIn(texts) }
        const payerOf = payerFrom(paying)
        const { connection, account } = await openAccount(self, context)
        const options = { signal, payer: payerOf?.(account) }
        tell(self, await changePlaylist(connection, account, playlist, changes, options))
      },
    )
  }

  const edit = command
    .command('edit')
    .description('say something else of it')
    .argument('<playlist>', 'its id, or a link that holds it')
    .option('--title <text>')
    .option('--description <text>')
    .option('--cover <picture>', `${coverHelp}; 'none' for that of its first track`)
    .option('--unlisted', 'in no list and no search any more')
    .option('--listed', 'the opposite')
  addPayingOptions(edit).action(
    async (text: string, { title, description, cover, unlisted, listed, ...paying }: Said, self: Command) => {
      const playlist = subjectIn(text, 'playlist')
      if (unlisted && listed) throw new UsageError('give --listed or --unlisted, not both')
      const said = { title, description, unlisted: listed ? false : unlisted }
      if ([...Object.values(said), cover].every((value) => value === undefined)) {
        throw new UsageError('give --title, --description, --cover, --unlisted or --listed')
      }
      const picture = cover === undefined || cover === 'none' ? undefined : pictureIn(cover)
      const payerOf = payerFrom(paying)
      const { connection, account } = await openAccount(self, context)
      const options = { signal, payer: payerOf?.(account) }
      const found = cover === 'none' ? null : picture && (await picture(connection, { signal }))
      const changes = { ...said, cover: found }
      tell(self, await changePlaylist(connection, account, playlist, changes, options))
    },
  )

  const moving = command
    .command('move')
    .description('put a track of it elsewhere')
    .argument('<playlist>', 'its id, or a link that holds it')
    .argument('<track>', 'its id, or a link that holds it')
    .argument('<place>', 'from 1')
  addPayingOptions(moving).action(
    async (text: string, trackText: string, place: string, paying: PayingOptions, self: Command) => {
      const playlist = subjectIn(text, 'playlist')
      const track = subjectIn(trackText, 'track id')
      if (!/^[1-9]\d{0,3}$/.test(place)) throw new UsageError(`'${place}' is no place such as 1`)
      const payerOf = payerFrom(paying)
      const { connection, account } = await openAccount(self, context)
      const options = { signal, payer: payerOf?.(account) }
      const move = [{ track, to: Number(place) - 1 }]
      tell(self, await changePlaylist(connection, account, playlist, { move }, options))
    },
  )
}
