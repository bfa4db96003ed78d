import { open, stat } from 'node:fs/promises'
import { parsed } from '@hexachord/protocol/checked'
import * as z from 'zod'
import { inputOptions, inputUrl } from './input-options.ts'
import { ProgramFailed, ProgramMissing } from './process-errors.ts'
import { runProgram } from './run-program.ts'
import { SourceError, saveAnew } from './source-error.ts'
import { missingWavBytes } from './wav-length.ts'

/** What a file holds, as its container and first frames tell. */
export type AudioSource = {
  /** As ffmpeg calls it: `flac`, `mp3`, `aac`, `pcm_s16le`. */
  readonly codec: string
  /** Such as `LC` for AAC. */
  readonly profile: string | undefined
  readonly sampleRateHz: number
  readonly channels: number
  readonly lossless: boolean
  /** Significant bits of a sample; for lossy codecs those of the decoder. */
  readonly bitsPerSample: number
  /** Of the audio alone, in bits per second. */
  readonly bitRate: number
  readonly durationMs: number
  /** Whether the file itself says how long it is; otherwise it was guessed from bit rate and size. */
  readonly durationStated: boolean
}

/** As long as a manifest can be; also the bound on what one upload may cost. */
export const maximumDurationMs = 10 * 3_600_000

const probeTimeoutMs = 30_000
const largestAnswerBytes = 1024 ** 2

const entries = [
  'stream=codec_type,codec_name,profile,sample_rate,channels,sample_fmt,bits_per_sample,bits_per_raw_sample,bit_rate,duration',
  'stream_disposition=attached_pic',
  'format=duration,bit_rate',
].join(':')

const numeric = z
  .union([z.string(), z.number()])
  .transform(Number)
  .transform((value) => (Number.isFinite(value) && value > 0 ? value : undefined))
  .optional()

const answerSchema = z.object({
  streams: z
    .array(
      z.object({
        codec_type: z.string().optional(),
        codec_name: z.string().optional(),
        profile: z.string().optional(),
        sample_rate: numeric,
        channels: numeric,
        sample_fmt: z.string().optional(),
        bits_per_sample: numeric,
        bits_per_raw_sample: numeric,
        bit_rate: numeric,
        duration: numeric,
      }),
    )
    .default([]),
  format: z
    .object({ duration: numeric, bit_rate: numeric })
    .default({ duration: undefined, bit_rate: undefined }),
})
type Stream = z.infer<typeof answerSchema>['streams'][number]

export type ProbeOptions = {
  /** @default 'ffprobe', from PATH */
  ffprobePath?: string | undefined
  /** Decodes the file to its end, in case nothing in it says how long it is. @returns ms */
  measureDuration: () => Promise<number>
  signal: AbortSignal
}

/**
 * Looks into a file.
 * @throws SourceError when it holds no audio that we can take; ProgramMissing, ProgramFailed, ProgramLimit
 */
export async function probe(path: string, options: ProbeOptions): Promise<AudioSource> {
  const { size } = await stat(path)
  if (size === 0) throw new SourceError('emptyFile', 'the file is empty')
  const { stdout, stderr } = await askFfprobe(path, options)
  const { streams, format } = readProbeAnswer(stdout)
  const stream = streams.find(({ codec_type }) => codec_type === 'audio')
  if (stream === undefined) {
    throw streams.length > 0
      ? new SourceError('noAudio', 'the file has pictures, but no sound')
      : new SourceError('notAudio', 'the file is not audio')
  }
  const { codec_name: codec, sample_rate: sampleRateHz, channels } = stream
  if (codec === undefined || codec === 'unknown' || sampleRateHz === undefined || channels === undefined) {
    throw new SourceError('undecodable', `the audio is of a kind that this node cannot decode: ${saveAnew}`)
  }
  const stated = stream.duration ?? format.duration
  const durationMs = Math.round(stated === undefined ? await options.measureDuration() : stated * 1000)
  if (durationMs === 0) throw new SourceError('emptyFile', 'the file holds no sound: its duration is zero')
  if (durationMs > maximumDurationMs) {
    throw new SourceError('tooLong', 'the file is longer than ten hours: publish it in parts')
  }
  const bitRate = Math.round(stream.bit_rate ?? format.bit_rate ?? (size * 8000) / durationMs)
  await checkWavLength(path, bitRate)
  return {
    codec,
    profile: stream.profile,
    sampleRateHz,
    channels,
    lossless: isLossless(codec),
    bitsPerSample: bitsOf(stream),
    bitRate,
    durationMs,
    durationStated: stated !== undefined && !/Estimating duration from bitrate/.test(stderr),
  }
}

/** What ffprobe said, in JSON. @throws ProgramFailed when it is something else */
export function readProbeAnswer(stdout: string): z.output<typeof answerSchema> {
  try {
    return parsed(answerSchema, JSON.parse(stdout))
  } catch (cause) {
    throw new ProgramFailed('it said something that is no description of a file', { cause })
  }
}

/** Makes sure that ffprobe can be started. @throws ProgramMissing */
export async function checkFfprobe(path: string, signal: AbortSignal): Promise<void> {
  try {
    await runProgram(path, ['-hide_banner', '-version'], {
      timeoutMs: probeTimeoutMs,
      maxBytes: largestAnswerBytes,
      signal,
    })
  } catch (cause) {
    if (!(cause instanceof ProgramFailed)) throw cause
    throw new ProgramMissing(`${path} is no ffprobe`, { cause })
  }
}

/** Some programs count a few bytes too many; more than that is music that did not arrive. */
const wavToleranceMs = 1_000

/** ffprobe takes what is there of a WAV file for what there should be. @throws SourceError */
async function checkWavLength(path: string, bitRate: number): Promise<void> {
  const missingBytes = await missingWavBytes(path)
  if ((missingBytes * 8000) / bitRate <= wavToleranceMs) return
  throw new SourceError(
    'truncated',
    `the file says that ${missingBytes} more bytes follow: its end is missing`,
  )
}

async function askFfprobe(path: string, { ffprobePath, signal }: ProbeOptions) {
  try {
    return await runProgram(
      ffprobePath ?? 'ffprobe',
      [
        '-hide_banner',
        '-v',
        'warning',
        ...inputOptions,
        '-show_entries',
        entries,
        '-of',
        'json',
        inputUrl(path),
      ],
      { timeoutMs: probeTimeoutMs, maxBytes: largestAnswerBytes, signal },
    )
  } catch (error) {
    if (error instanceof ProgramFailed && !error.killed) throw await sourceErrorOf(path, error)
    throw error
  }
}

/** Why ffprobe could make nothing of a file: cut short, damaged, or no audio in the first place. */
async function sourceErrorOf(path: string, cause: ProgramFailed): Promise<SourceError> {
  if (/moov atom not found/.test(cause.stderr)) {
    return new SourceError('truncated', 'the file cannot be read: its end is missing; send it again', {
      cause,
    })
  }
  if (await looksLikeAudio(path)) {
    return new SourceError('undecodable', `the file begins like audio, but cannot be read: ${saveAnew}`, {
      cause,
    })
  }
  return new SourceError('notAudio', 'the file is not audio', { cause })
}

const signatures = ['OggS', 'fLaC', 'RIFF', 'RF64', 'FORM', 'ID3', 'wvpk', 'MAC ', 'caff']

async function looksLikeAudio(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(12), 0, 12, 0)
    const head = buffer.toString('latin1', 0, bytesRead)
    return signatures.some((signature) => head.startsWith(signature)) || head.slice(4, 8) === 'ftyp'
  } finally {
    await file.close()
  }
}

const losslessCodecs = new Set([
  'flac',
  'alac',
  'wavpack',
  'ape',
  'tta',
  'mlp',
  'truehd',
  'wmalossless',
  'tak',
])

function isLossless(codec: string): boolean {
  // Not A-law, mu-law or ADPCM, which throw away as much as any codec.
  return losslessCodecs.has(codec) || /^pcm_[suf]\d/.test(codec) || codec.startsWith('dsd_')
}

function bitsOf(stream: Stream): number {
  const format = stream.sample_fmt ?? ''
  const decoded = format.startsWith('u8') ? 8 : format.startsWith('s16') ? 16 : 24
  return Math.min(24, stream.bits_per_raw_sample ?? stream.bits_per_sample ?? decoded)
}
