import type { Subject } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import type { Fault } from '@hexachord/protocol/retrieval'
import { ApiError, type Connection } from '@hexachord/sdk/connect'
import { findTrack } from '@hexachord/sdk/finding'
import { openTrack, playSegments, renditionFor } from '@hexachord/sdk/playing'
import { pause } from '../local-network/pause.ts'
import { rawCidOf } from './independent-check.ts'
import type { Repertoire } from './repertoire.ts'
import { reasonOf, type Tally } from './tally.ts'

export type ListenerOptions = {
  readonly connection: Connection
  readonly repertoire: Repertoire
  readonly tally: Tally
  readonly random: () => number
  readonly ending: AbortSignal
  readonly signal: AbortSignal
}

const restMs = 700
const waitForMusicMs = 500
const patienceMs = 60_000

/** Plays one published track after the other, checking each byte, until the run ends. */
export async function beListener(options: ListenerOptions): Promise<void> {
  const { repertoire, tally, random, ending } = options
  do {
    const live = repertoire.live()
    const work = live[Math.floor(random() * live.length)]
    if (work === undefined) {
      await pause(waitForMusicMs, ending)
      continue
    }
    try {
      await play(work.subject, options)
      tally.count('playbacks')
    } catch (error) {
      if (options.signal.aborted) return
      if (wasTakenBack(error, work.subject, repertoire)) tally.count('playbacks of what was just taken back')
      else tally.fault('failed playbacks', `${work.subject}: ${reasonOf(error)}`)
    }
  } while (await pause(restMs, ending))
}

async function play(subject: Subject, options: ListenerOptions): Promise<void> {
  const { connection, tally, signal } = options
  const track = await lookUp(subject, options)
  const onFault = (fault: Fault) => {
    if (fault.kind === 'lied') tally.fault('blocks that a node sent wrong', `${fault.source} ${fault.cid}`)
    else tally.count('blocks had from another holder')
  }
  const opened = await openTrack(connection, track, { onFault, signal })
  const rendition = renditionFor(opened)
  let expected = 0
  for await (const part of playSegments(opened, rendition, { prefetch: 1, signal })) {
    if ('init' in part) continue
    if (part.index !== expected) tally.fault('gaps', `${subject}: ${part.index} after ${expected - 1}`)
    if (rawCidOf(part.bytes) !== part.cid) tally.fault('segments with a wrong byte', `${subject} ${part.cid}`)
    expected = part.index + 1
    tally.count('segments played')
    tally.count('bytes played', part.bytes.length)
  }
  if (expected !== opened.loaded.renditions[rendition]?.segments.length)
    tally.fault('gaps', `${subject} ended after ${expected} segments`)
}

/** These networks have one discovery provider: while it is away nothing can be looked up, and a listener waits. */
async function lookUp(subject: Subject, { connection, tally, signal }: ListenerOptions): Promise<Track> {
  const endMs = performance.now() + patienceMs
  for (;;) {
    try {
      return await findTrack(connection, subject, { signal })
    } catch (error) {
      const isAway = error instanceof ApiError && (error.status === 0 || error.status >= 500)
      if (!isAway || performance.now() > endMs) throw error
      tally.count('look-ups while discovery was away')
      await pause(restMs, signal)
    }
  }
}

/** Whoever looks a track up just as its artist deletes it is told so. */
function wasTakenBack(error: unknown, subject: Subject, repertoire: Repertoire): boolean {
  return error instanceof ApiError && error.status === 410 && !repertoire.isLive(subject)
}
