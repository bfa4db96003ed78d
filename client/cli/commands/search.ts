import { search } from '@hexachord/sdk/finding'
import type { Command } from 'commander'
import { openConnection, print } from './connection.ts'
import type { Context } from './context.ts'

export function addSearchCommand(program: Command, context: Context): void {
  program
    .command('search')
    .description('find tracks, artists and playlists')
    .argument('<words...>')
    .action(async (words: string[], _options: unknown, self: Command) => {
      const { connection } = await openConnection(self, context, { onlyReads: true })
      const found = await search(connection, words.join(' '), { signal: context.signal })
      const lines = [
        ...found.tracks.map((track) => `track     ${track.id}  ${track.title} by ${track.artist}`),
        ...found.users.map(({ id, name, handle }) =>
          ['artist   ', id, '', name, handle && `@${handle}`].filter((part) => part !== null).join(' '),
        ),
        ...found.playlists.map((playlist) => `playlist  ${playlist.id}  ${playlist.title}`),
      ]
      print(self, found, lines.join('\n') || 'nothing is found')
    })
}
