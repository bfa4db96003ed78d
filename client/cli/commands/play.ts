import { trackFor } from '@hexachord/sdk/finding'
import { type Command, Option } from 'commander'
import { playTrack } from '../playing/index.ts'
import { progressBar } from '../terminal/index.ts'
import { openConnection, print } from './connection.ts'
import type { Context } from './context.ts'

type Options = { rendition?: string; output: 'speaker' | 'null' }

export function addPlayCommand(program: Command, context: Context): void {
  program
    .command('play')
    .description('play a track; every segment is checked against its hash')
    .argument('<track>', 'its id, a link to it, or words to search for')
    .option('--rendition <name>', 'such as aac-96 or flac')
    .addOption(
      new Option(
        '--output <where>',
        "the speaker (by ffplay), or 'null': decode all of it and drop the sound",
      )
        .choices(['speaker', 'null'])
        .default('speaker'),
    )
    .action(async (text: string, options: Options, self: Command) => {
      const { connection } = await openConnection(self, context)
      const track = await trackFor(connection, text, { signal: context.signal })
      process.stderr.write(`${track.title} by ${track.artist}\n`)
      const bar = progressBar('playing', 'segments')
      try {
        const report = await playTrack(connection, track, {
          output: options.output,
          signal: context.signal,
          startedAt: context.startedAt,
          onSegment: (played, count) => bar.update(played, count),
          onFault: ({ source, kind }) =>
            process.stderr.write(`hexachord: ${source} ${kind}; asking another\n`),
          ...(options.rendition ? { rendition: options.rendition } : {}),
        })
        bar.stop()
        print(
          self,
          report,
          `${report.segmentsPlayed} segments, ${report.bytesPlayed} bytes of ${report.rendition}, every hash checked, ${report.hashFailures} wrong`,
        )
      } finally {
        bar.stop()
      }
    })
}
