import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import pLimit from 'p-limit'
import { usageOf } from '../process-usage.ts'

/** What ffmpeg alone takes. */
export type BareTimes = {
  readonly wallMs: number
  /** When the first process had closed its first segment, and given it its name. */
  readonly firstStoredMs: number
  readonly cpuMs: number
}

/** A rendition as ffmpeg is asked for it. */
export type BareRendition = {
  readonly name: string
  readonly options: readonly string[]
  /** Of its process: what the node gives to its own. */
  readonly niceness: number
}

/** How a node's renditions are made, by their names. */
export function bareRenditionsOf(names: readonly string[], copied: readonly string[]): BareRendition[] {
  return names.map((name) => {
    if (copied.includes(name)) return { name, options: ['-c:a', 'copy'], niceness: 2 }
    if (name === 'flac') return { name, options: ['-c:a', 'flac'], niceness: 19 }
    return { name, options: ['-c:a', 'aac', '-b:a', `${name.replace('aac-', '')}k`], niceness: 19 }
  })
}

/** Makes the renditions with one process for each, as many at a time as the node runs, in its order. */
export async function runBareFfmpeg(options: {
  input: string
  renditions: readonly BareRendition[]
  folder: string
  atOnce: number
  signal: AbortSignal
}): Promise<BareTimes> {
  const { input, renditions, folder, atOnce, signal } = options
  const before = await usageOf(process.pid)
  const startMs = performance.now()
  const inTurn = pLimit(atOnce)
  const directoryOf = ({ name }: BareRendition) => path.join(folder, name)
  await Promise.all(
    renditions.map((rendition) =>
      inTurn(async () => {
        await mkdir(directoryOf(rendition), { recursive: true })
        await runFfmpeg(input, rendition, directoryOf(rendition), signal)
      }),
    ),
  )
  const wallMs = performance.now() - startMs
  const after = await usageOf(process.pid)
  const [first] = renditions.map(directoryOf)
  const { ctimeMs } = await stat(path.join(first ?? folder, '00000.m4s'))
  await rm(folder, { recursive: true })
  return {
    wallMs,
    firstStoredMs: ctimeMs - performance.timeOrigin - startMs,
    cpuMs: after.childrenCpuMs - before.childrenCpuMs,
  }
}

async function runFfmpeg(
  input: string,
  { options, niceness }: BareRendition,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const args = [
    ...['-n', String(niceness), 'ffmpeg', '-v', 'error', '-nostdin', '-i', input, '-vn', ...options],
    ...['-strict', '-2', '-f', 'hls', '-hls_time', '6', '-hls_playlist_type', 'vod'],
    ...['-hls_segment_type', 'fmp4', '-hls_flags', 'temp_file', '-hls_fmp4_init_filename', 'init.mp4'],
    ...['-hls_segment_filename', path.join(directory, '%05d.m4s'), path.join(directory, 'playlist.m3u8')],
  ]
  const child = spawn('nice', args, { stdio: ['ignore', 'ignore', 'inherit'], signal })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`bare ffmpeg ended with ${code}`)
}
