import { trackFor } from '@hexachord/sdk/finding'
import { listenOf } from '@hexachord/sdk/listening'
import { type AccountPass, formatAmount, PaymentNeeded } from '@hexachord/sdk/paying'
import { accountPass } from '@hexachord/sdk/writing'
import { type Command, Option } from 'commander'
import { playTrack } from '../playing/index.ts'
import { scrobble } from '../scrobbling/index.ts'
import { fileListeningHistory, keptListens, keyStore } from '../settings/index.ts'
import { askPassword, progressBar } from '../terminal/index.ts'
import { openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { addSpendingOptions, purseFor, type SpendingOptions } from './open-purse.ts'

type Options = SpendingOptions & { rendition?: string; output: 'speaker' | 'null'; scrobble: boolean }

export function addPlayCommand(program: Command, context: Context): void {
  const command = program
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
    .option('--no-scrobble', 'tell nobody, also where scrobbleTo is set')
  addSpendingOptions(command).action(async (text: string, options: Options, self: Command) => {
    const { connection, settings } = await openConnection(self, context)
    const listenedAtMs = connection.now()
    const track = await trackFor(connection, text, { signal: context.signal })
    process.stderr.write(`${track.title} by ${track.artist}\n`)
    const bar = progressBar('playing', 'segments')
    const purse = await purseFor(
      track,
      { connection, settings },
      { options, context, onSpend: (meter) => bar.note(meter.text()) },
    )
    let pass: Promise<AccountPass> | undefined
    const passOf = async () => {
      const account = await keyStore(settings.directory).open(() => askPassword(context, 'Password: '))
      return accountPass(connection, account)
    }
    try {
      const report = await playTrack(connection, track, {
        output: options.output,
        signal: context.signal,
        startedAt: context.startedAt,
        paying: purse?.paying,
        // Nobody is asked for a password before somebody asks who listens.
        pass: (origin) => {
          pass ??= passOf()
          return pass.then((show) => show(origin))
        },
        onSegment: (played, count) => bar.update(played, count),
        onFault: ({ source, kind }) => process.stderr.write(`hexachord: ${source} ${kind}; asking another\n`),
        ...(options.rendition ? { rendition: options.rendition } : {}),
      })
      bar.stop()
      const { scrobbling, directory } = settings
      const originUrl = `${connection.providers[0]?.origin}/tracks/${track.id}`
      // What no speaker has played was heard by nobody.
      const scrobbled =
        scrobbling && options.scrobble && options.output === 'speaker'
          ? await scrobble(
              scrobbling,
              listenOf(track, { listenedAtMs, originUrl }),
              keptListens(directory),
              context,
            )
          : undefined
      if (scrobbled?.reason) {
        process.stderr.write(`hexachord: not scrobbled yet, kept for the next time: ${scrobbled.reason}\n`)
      }
      const { id, author, title, artist } = track
      const history = fileListeningHistory(settings.directory)
      await history.add({ track: id, author, title, artist, playedAtMs: listenedAtMs })
      print(
        self,
        { ...report, ...(purse ? { paid: purse.meter.paid() } : {}), ...(scrobbled ? { scrobbled } : {}) },
        `${report.segmentsPlayed} segments, ${report.bytesPlayed} bytes of ${report.rendition}, every hash checked, ${report.hashFailures} wrong${purse ? `; ${purse.meter.text()}` : ''}`,
      )
    } catch (error) {
      if (!(error instanceof PaymentNeeded) || purse === undefined) throw error
      throw error.with((amount) => formatAmount(amount, purse.token))
    } finally {
      bar.stop()
      purse?.close()
    }
  })
}
