import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const tone = ['-f', 'lavfi', '-i', 'aevalsrc=0.3*sin(440*2*PI*t)|0.3*sin(554*2*PI*t):s=44100:d=1.2']
const tags = ['-metadata', 'title=Ut queant laxis', '-metadata', 'artist=Guido', '-metadata', 'track=3/6']

/** Short files of the kinds that artists send, and what a creator node cuts of them, for corpora. Needs ffmpeg. */
export type Recordings = {
  /** By ending. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** For covers. */
  readonly pictures: readonly Uint8Array[]
  readonly aac: Fragments
  readonly flac: Fragments
}

export type Fragments = { readonly init: Uint8Array; readonly segment: Uint8Array }

const kinds: Readonly<Record<string, readonly string[]>> = {
  wav: ['-c:a', 'pcm_s16le', '-ar', '8000', '-ac', '1'],
  flac: ['-c:a', 'flac'],
  mp3: ['-c:a', 'libmp3lame', '-id3v2_version', '3'],
  m4a: ['-c:a', 'aac'],
  ogg: ['-c:a', 'libvorbis'],
}

/** @param directory for what is made on the way */
export async function makeRecordings(directory: string): Promise<Recordings> {
  const make = async (name: string, options: readonly string[]) => {
    const file = path.join(directory, name)
    await ffmpeg([...options, file])
    return new Uint8Array(await readFile(file))
  }
  const files = Object.entries(kinds).map(
    async ([ending, options]) => [ending, await make(`a.${ending}`, [...tone, ...tags, ...options])] as const,
  )
  const picture = ['-f', 'lavfi', '-i', 'testsrc=s=160x150', '-frames:v', '1']
  return {
    files: new Map(await Promise.all(files)),
    pictures: [await make('a.png', picture), await make('a.jpg', picture)],
    aac: await cut(directory, ['-c:a', 'aac']),
    flac: await cut(directory, ['-c:a', 'flac', '-strict', '-2']),
  }
}

async function cut(directory: string, options: readonly string[]): Promise<Fragments> {
  const folder = await mkdtemp(path.join(directory, 'cut-'))
  const fragments = [
    '-f',
    'hls',
    '-hls_segment_type',
    'fmp4',
    '-hls_segment_filename',
    path.join(folder, '%d.m4s'),
  ]
  await ffmpeg([...tone, ...options, ...fragments, path.join(folder, 'list.m3u8')])
  const [segment = ''] = (await readdir(folder)).filter((name) => name.endsWith('.m4s')).sort()
  return {
    init: new Uint8Array(await readFile(path.join(folder, 'init.mp4'))),
    segment: new Uint8Array(await readFile(path.join(folder, segment))),
  }
}

async function ffmpeg(args: readonly string[]): Promise<void> {
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args])
}
