import { renditionName } from '@hexachord/protocol/manifests'
import type { Track } from '@hexachord/protocol/rest'
import type { Fault } from '@hexachord/protocol/retrieval'
import type { Connection } from '@hexachord/sdk/connect'
import type { AccountPass, PaidPlays } from '@hexachord/sdk/paying'
import { openTrack, playSegments, renditionFor } from '@hexachord/sdk/playing'
import { type Output, startDecoder } from './decoder.ts'

export type PlayReport = {
  readonly track: string
  readonly manifest: string
  readonly rendition: string
  readonly segmentsPlayed: number
  readonly bytesPlayed: number
  /** Blocks that came with a wrong hash; none of them was played. */
  readonly hashFailures: number
  /** Segments that each origin gave. */
  readonly sources: Record<string, number>
  /** Sound that came out of the decoder, in ms; null for the speaker, whose player does not tell. */
  readonly decodedMs: number | null
  /** From the command to the first decoded sample (null for the speaker), and to the end. */
  readonly ms: { readonly firstAudio: number | null; readonly total: number }
}

/** Plays a track from its holders, every segment checked before the decoder sees it.
 * @throws RetrievalFailed, PaymentNeeded, RenditionUnknown, DecoderError, and the signal's reason */
export async function playTrack(
  connection: Connection,
  track: Track,
  options: {
    output: Output
    rendition?: string
    signal?: AbortSignal
    /** When the command was given, of `performance.now()`. @default now */
    startedAt?: number
    onFault?: (fault: Fault) => void
    /** Pays for what costs something. */
    paying?: PaidPlays | undefined
    /** Shows an account where the track's artist asks who listens. */
    pass?: AccountPass | undefined
    onSegment?: (played: number, count: number, source: string) => void
  },
): Promise<PlayReport> {
  const { startedAt = performance.now() } = options
  const decoder = startDecoder(options.output, options.signal)
  const sources: Record<string, number> = {}
  let segmentsPlayed = 0
  let expectedMs = 0
  let bytesPlayed = 0
  let hashFailures = 0
  try {
    const opened = await openTrack(connection, track, {
      ...(options.signal ? { signal: options.signal } : {}),
      paying: options.paying,
      pass: options.pass,
      playsFromMs: 0,
      onFault: (fault) => {
        if (fault.kind === 'lied') hashFailures += 1
        options.onFault?.(fault)
      },
    })
    const index = renditionFor(opened, options.rendition)
    for await (const part of playSegments(opened, index, options.signal ? { signal: options.signal } : {})) {
      if ('init' in part) {
        await decoder.write(part.init)
        bytesPlayed += part.init.length
        continue
      }
      await decoder.write(part.bytes)
      segmentsPlayed += 1
      expectedMs += part.durationMs
      bytesPlayed += part.bytes.length
      sources[part.source] = (sources[part.source] ?? 0) + 1
      options.onSegment?.(segmentsPlayed, part.count, part.source)
    }
    const decoded = await decoder.finish({ expectedMs })
    return {
      track: track.id,
      manifest: track.manifest,
      rendition: renditionName(opened.loaded, index),
      segmentsPlayed,
      bytesPlayed,
      hashFailures,
      sources,
      decodedMs: decoded?.decodedMs ?? null,
      ms: {
        firstAudio: decoded && Math.round(decoded.firstSampleAt - startedAt),
        total: Math.round(performance.now() - startedAt),
      },
    }
  } finally {
    decoder.close()
  }
}
