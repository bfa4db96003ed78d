import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '../setup/index.ts'

const run = promisify(execFile)

const encoders = {
  wav: ['-c:a', 'pcm_s16le'],
  flac: ['-c:a', 'flac'],
  mp3: ['-c:a', 'libmp3lame', '-b:a', '192k'],
  m4a: ['-c:a', 'aac', '-b:a', '128k'],
}

const formats = Object.keys(encoders) as (keyof typeof encoders)[]
const renderWithinMs = 60_000

/**
 * Writes a sound that nothing else sounds like, in one format or another. @returns the file
 * @param random from 0 to below 1
 */
export async function writeRecording(options: {
  folder: string
  name: string
  random: () => number
  signal: AbortSignal
}): Promise<string> {
  const { folder, name, random, signal } = options
  const format = formats[Math.floor(random() * formats.length)] ?? 'flac'
  const seconds = 5 + Math.floor(random() * 14)
  const pitchHz = (100 + random() * 400).toFixed(5)
  const beatHz = (1 + random() * 5).toFixed(5)
  const file = path.join(folder, `${name}.${format}`)
  const voice = `0.4*sin(2*PI*${pitchHz}*t)*(0.6+0.4*sin(2*PI*${beatHz}*t))*(0.8+0.4*random(0))`
  const source = `aevalsrc=exprs='${voice}|${voice}':s=44100:d=${seconds}`
  await run(
    findProgram('ffmpeg') ?? 'ffmpeg',
    ['-v', 'error', '-nostdin', '-f', 'lavfi', '-i', source, ...encoders[format], '-y', file],
    { timeout: renderWithinMs, signal },
  )
  return file
}
