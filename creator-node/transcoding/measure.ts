import type { Ffmpeg } from './ffmpeg.ts'
import { type Loudness, parseLoudness } from './loudness.ts'
import { ProgramFailed } from './process-errors.ts'
import { SourceError } from './source-error.ts'
import { createPeakMeter, type Waveform } from './waveform.ts'

/** What hearing the whole recording once tells. */
export type Measurements = {
  /** Of what can be decoded, which a damaged file's own word may exceed. */
  readonly durationMs: number
  /** Absent for silence. */
  readonly loudness: Loudness | undefined
  readonly waveform: Waveform
}

/** Enough for 800 pixels of any song; decoding to it costs little more than decoding. */
const waveformRateHz = 8_000

/**
 * Decodes a file once and measures loudness, waveform and true length from it.
 * @throws SourceError when not a single sample can be decoded; ProgramMissing, ProgramLimit
 */
export async function measure(options: {
  ffmpeg: Ffmpeg
  input: string
  timeoutMs: number
  signal: AbortSignal
}): Promise<Measurements> {
  const { ffmpeg, ...run } = options
  const meter = createPeakMeter(waveformRateHz)
  // Per-frame values at a level that is not logged; the summary at the end is all that we read.
  const graph = `[0:a:0]asplit[loud][wave];[loud]ebur128=peak=true:framelog=verbose[heard];[wave]aresample=${waveformRateHz}[peaks]`
  const { stderr } = await decoding(() =>
    ffmpeg.run({
      ...run,
      filterGraph: graph,
      logLevel: 'info',
      outputs: [
        { options: ['-map', '[heard]', '-f', 'null'], to: '-' },
        { options: ['-map', '[peaks]', '-ac', '1', '-f', 's16le'], to: meter.add },
      ],
    }),
  )
  if (meter.samples() === 0) throw new SourceError('undecodable', 'no sound could be decoded from the file')
  return {
    durationMs: Math.round((meter.samples() * 1000) / waveformRateHz),
    loudness: parseLoudness(stderr),
    waveform: meter.waveform(),
  }
}

/** Length of what can be decoded, in ms; for files that do not say it themselves. @throws as {@link measure} */
export async function measureDuration(options: {
  ffmpeg: Ffmpeg
  input: string
  timeoutMs: number
  signal: AbortSignal
}): Promise<number> {
  const { ffmpeg, ...run } = options
  let bytes = 0
  const count = (chunk: Uint8Array) => {
    bytes += chunk.length
  }
  const output = ['-map', '0:a:0', '-ac', '1', '-ar', String(waveformRateHz), '-f', 's16le']
  await decoding(() => ffmpeg.run({ ...run, outputs: [{ options: output, to: count }] }))
  return (bytes * 1000) / (2 * waveformRateHz)
}

async function decoding<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ProgramFailed && !error.killed) {
      throw new SourceError('undecodable', 'the audio cannot be decoded: the file is damaged', {
        cause: error,
      })
    }
    throw error
  }
}
