import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { coverSize, drawCover } from './cover.ts'
import { compose, type Form } from './score.ts'
import { sampleRate, synthesise } from './synthesise.ts'
import { encodeWav } from './wav.ts'

export type { Form } from './score.ts'

/** Also part of the file's name: a change of the music has to change this. */
const edition = 1
const encodeTimeoutMs = 120_000

/** What is composed, by its seed and its title: the free sample, one that costs something, one that is encrypted too. */
const pieces = {
  free: { seed: 6, title: 'Six Notes, Six Seconds', file: 'six-notes-six-seconds' },
  paid: { seed: 7, title: 'Paid by the Six', file: 'paid-by-the-six' },
  premium: { seed: 8, title: 'Under Lock and Key', file: 'under-lock-and-key' },
} as const
export type Piece = keyof typeof pieces

export const sampleTags = {
  title: pieces.free.title as string,
  artist: 'Hexachord',
  album: 'Samples',
  genre: 'Electronic',
  date: '2026',
  license: 'https://creativecommons.org/publicdomain/zero/1.0/',
  comment: 'Synthesised by scripts/sample-music. CC0 1.0.',
}

/** ffmpeg did not make a file of the music. */
export class EncodingError extends Error {
  override name = 'EncodingError'
}

/**
 * The sample track: music that these scripts compose and synthesise, as a FLAC with tags and a cover. Made in
 * some seconds on first use and then kept in `directory`. Needs ffmpeg on the PATH.
 *
 * @param options.piece which of the samples. @default 'free'
 * @param options.form `whole` (two and a half minutes) or `short` (24 seconds). @default 'whole'
 * @returns the path of the file
 */
export async function makeSampleTrack(options: {
  directory: string
  form?: Form
  piece?: Piece
  signal: AbortSignal
}): Promise<string> {
  const { directory, form = 'whole', piece = 'free', signal } = options
  const { seed, title, file: name } = pieces[piece]
  const file = path.join(directory, `${name}-${form}-${edition}.flac`)
  if (existsSync(file)) return file
  await mkdir(directory, { recursive: true })
  const drafts = await mkdtemp(path.join(directory, 'draft-'))
  try {
    const wav = path.join(drafts, 'music.wav')
    await writeFile(wav, encodeWav(synthesise(compose(seed, form), seed), sampleRate))
    const cover = path.join(drafts, 'cover.rgb')
    await writeFile(cover, drawCover())
    const flac = path.join(drafts, 'music.flac')
    await runFfmpeg(encodingArguments({ wav, cover, flac, title }), signal)
    await rename(flac, file)
    return file
  } finally {
    await rm(drafts, { recursive: true, force: true })
  }
}

function encodingArguments({
  wav,
  cover,
  flac,
  title,
}: {
  wav: string
  cover: string
  flac: string
  title: string
}): string[] {
  return [
    ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-y', '-i', wav],
    ...['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', `${coverSize}x${coverSize}`, '-i', cover],
    ...['-map', '0:a', '-map', '1:v', '-c:a', 'flac', '-c:v', 'png', '-frames:v', '1'],
    ...['-disposition:v', 'attached_pic', '-metadata:s:v', 'comment=Cover (front)'],
    // Without this ffmpeg writes its own version into the file.
    ...['-fflags', '+bitexact', '-flags:a', '+bitexact'],
    ...Object.entries({ ...sampleTags, title }).flatMap(([name, value]) => ['-metadata', `${name}=${value}`]),
    flac,
  ]
}

async function runFfmpeg(args: string[], signal: AbortSignal): Promise<void> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(encodeTimeoutMs)])
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'ignore', 'pipe'], signal: either })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-4_000)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0)
    throw new EncodingError(`ffmpeg ended with code ${code} while it encoded the sample track:\n${complaint}`)
}
