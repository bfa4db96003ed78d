import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { makeSampleTrack } from '../../sample-music/index.ts'

/** Files of the sample music, each of other sound than all before it: a node knows sources and blocks again. */
export type Sources = {
  readonly seconds: number
  /** The track as an artist would send it, with tags and cover. */
  flac(): Promise<string>
  /** AAC as phones and shops give it. */
  m4a(): Promise<string>
  /** One channel of MP3, as long as wanted. */
  mp3(seconds: number): Promise<string>
}

export async function makeSources(options: {
  folder: string
  small: boolean
  signal: AbortSignal
}): Promise<Sources> {
  const { folder, small, signal } = options
  const track = await makeSampleTrack({ directory: folder, form: small ? 'short' : 'whole', signal })
  const seconds = small ? 20 : 120
  let count = 0
  async function make(name: string, args: readonly string[], input: readonly string[] = []): Promise<string> {
    count += 1
    const file = path.join(folder, `${count}-${name}`)
    const from = String(count * 0.05)
    await promisify(execFile)(
      'ffmpeg',
      ['-v', 'error', '-nostdin', '-ss', from, ...input, '-i', track, ...args, file],
      { signal },
    )
    return file
  }
  const length = ['-t', String(seconds)]
  return {
    seconds,
    flac: () => make('track.flac', [...length, '-c:v', 'copy', '-c:a', 'flac']),
    m4a: () => make('track.m4a', [...length, '-vn', '-c:a', 'aac', '-b:a', '256k']),
    mp3: (wanted) =>
      make(
        'track.mp3',
        ['-t', String(wanted), '-vn', '-ac', '1', '-c:a', 'libmp3lame', '-b:a', '64k'],
        ['-stream_loop', '-1'],
      ),
  }
}
