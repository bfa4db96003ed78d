import { search } from '@hexachord/sdk/finding'
import { Command } from 'commander'
import { openConnection, print } from './connection.ts'
import type { Context } from './index.ts'

export function searchCommand(context: Context): Command {
  return new Command('search')
    .description('find tracks, artists and playlists')
    .argument('<words...>')
    .action(async (words: string[], _options: unknown, self: Command) => {
      const { connection } = await openConnection(self, context)
      const found = await search(connection, words.join(' '), { signal: context.signal })
      const lines = [
        ...found.tracks.map((track) => `track     ${track.id}  ${track.title} by ${track.artist}`),
        ...found.users.map(
          (user) => `artist    ${user.id}  ${user.name ?? ''} ${user.handle ? `@${user.handle}` : ''}`,
        ),
        ...found.playlists.map((playlist) => `playlist  ${playlist.id}  ${playlist.title}`),
      ]
      print(self, found, lines.join('\n') || 'nothing is found')
    })
}
