import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { maximumFingerprintBytes } from '@hexachord/protocol/manifests'
import type { Ffmpeg, FfmpegRun } from './ffmpeg.ts'
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
  /** Chromaprint of the beginning; absent for less than some seconds, and where this ffmpeg cannot make one. */
  readonly fingerprint: Uint8Array | undefined
}

/** Enough for 800 pixels of any song, and for all that Chromaprint listens to, which is below 3.6 kHz; decoding to it
 * costs little more than decoding. */
const waveformRateHz = 8_000

/** Whoever uploads what is another's seldom cuts away two minutes. */
const fingerprintSeconds = 120

/**
 * Decodes a file once and measures loudness, waveform, fingerprint and true length from it.
 * @param directory is made, holds what ffmpeg writes, and is removed
 * @throws SourceError when not a single sample can be decoded; ProgramMissing, ProgramLimit
 */
export async function measure(options: {
  ffmpeg: Ffmpeg
  input: string
  directory: string
  timeoutMs: number
  signal: AbortSignal
}): Promise<Measurements> {
  const { ffmpeg, directory, ...run } = options
  if (!(await ffmpeg.canFingerprint())) return listen(ffmpeg, run)
  const path = join(directory, 'chromaprint')
  await mkdir(directory, { recursive: true })
  try {
    return await listen(ffmpeg, run, path)
  } catch (error) {
    if (!(error instanceof SourceError)) throw error
    // Nobody is to lose an upload for want of a fingerprint.
    return await listen(ffmpeg, run)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function listen(
  ffmpeg: Ffmpeg,
  run: Pick<FfmpegRun, 'input' | 'timeoutMs' | 'signal'>,
  fingerprintPath?: string,
): Promise<Measurements> {
  const meter = createPeakMeter(waveformRateHz)
  // Per-frame values at a level that is not logged; the summary at the end is all that we read.
  const loud = '[0:a:0]asplit[loud][wave];[loud]ebur128=peak=true:framelog=verbose[heard]'
  const split = fingerprintPath === undefined ? '[peaks]' : ',asplit[peaks][print]'
  const outputs: FfmpegRun['outputs'][number][] = [
    { options: ['-map', '[heard]', '-f', 'null'], to: '-' },
    { options: ['-map', '[peaks]', '-ac', '1', '-f', 's16le'], to: meter.add },
  ]
  if (fingerprintPath !== undefined) {
    const chromaprint = ['-t', String(fingerprintSeconds), '-f', 'chromaprint', '-fp_format', 'raw']
    outputs.push({ options: ['-map', '[print]', '-ac', '1', ...chromaprint], to: fingerprintPath })
  }
  const { stderr } = await decoding(() =>
    ffmpeg.run({
      ...run,
      filterGraph: `${loud};[wave]aresample=${waveformRateHz}${split}`,
      logLevel: 'info',
      outputs,
    }),
  )
  if (meter.samples() === 0) throw new SourceError('undecodable', 'no sound could be decoded from the file')
  return {
    durationMs: Math.round((meter.samples() * 1000) / waveformRateHz),
    loudness: parseLoudness(stderr),
    waveform: meter.waveform(),
    fingerprint: fingerprintPath === undefined ? undefined : usable(await readFile(fingerprintPath)),
  }
}

/** Chromaprint needs some seconds for its first item. */
function usable(bytes: Uint8Array): Uint8Array | undefined {
  const isWhole = bytes.length > 0 && bytes.length % 4 === 0 && bytes.length <= maximumFingerprintBytes
  return isWhole ? bytes : undefined
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
