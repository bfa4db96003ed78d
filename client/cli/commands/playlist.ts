import type { Playlist } from '@hexachord/protocol/rest'
import { changePlaylist, createPlaylist } from '@hexachord/sdk/publishing'
import type { Command } from 'commander'
import { UsageError } from '../settings/index.ts'
import { openAccount, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'

type Said = PayingOptions & { title?: string; description?: string; unlisted?: true; listed?: true }

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
    .option('--unlisted', 'in no list and no search; who has its id sees it')
  addPayingOptions(create).action(
    async (title: string, texts: string[], { description, unlisted, ...paying }: Said, self: Command) => {
      const add = tracksIn(texts)
      const payerOf = payerFrom(paying)
      const { connection, account } = await openAccount(self, context)
      const options = { signal, payer: payerOf?.(account) }
      tell(self, await createPlaylist(connection, account, { title, description, unlisted, add }, options))
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
    .option('--unlisted', 'in no list and no search any more')
    .option('--listed', 'the opposite')
  addPayingOptions(edit).action(
    async (text: string, { title, description, unlisted, listed, ...paying }: Said, self: Command) => {
      const playlist = subjectIn(text, 'playlist')
      if (unlisted && listed) throw new UsageError('give --listed or --unlisted, not both')
      const changes = { title, description, unlisted: listed ? false : unlisted }
      if (Object.values(changes).every((value) => value === undefined)) {
        throw new UsageError('give --title, --description, --unlisted or --listed')
      }
      const payerOf = payerFrom(paying)
      const { connection, account } = await openAccount(self, context)
      const options = { signal, payer: payerOf?.(account) }
      tell(self, await changePlaylist(connection, account, playlist, changes, options))
    },
  )
}
