import { spawn } from 'node:child_process'
import path from 'node:path'

/** How a file is written: the ending names the format. */
export type RecordingFormat = 'wav' | 'flac' | 'mp3' | 'm4a'

const encoders: Record<RecordingFormat, readonly string[]> = {
  wav: ['-c:a', 'pcm_s16le'],
  flac: ['-c:a', 'flac'],
  mp3: ['-c:a', 'libmp3lame', '-b:a', '192k'],
  m4a: ['-c:a', 'aac', '-b:a', '128k', '-movflags', '+faststart'],
}

/**
 * Writes a stereo chord that beats, at 44.1 kHz, and nothing like any other one: `pitchHz` is its lowest note.
 * @returns the file
 */
export async function makeRecording(
  directory: string,
  options: {
    name: string
    seconds: number
    format?: RecordingFormat
    pitchHz?: number
    tags?: Record<string, string>
    /** Pixels of the side of a picture that goes along. @default none */
    coverSide?: number
  },
): Promise<string> {
  const {
    name,
    seconds,
    format = 'flac',
    pitchHz = 110 + Math.random() * 220,
    tags = {},
    coverSide,
  } = options
  const file = path.join(directory, `${name}.${format}`)
  // One note is rough: an encoder seeks in vain, and for long, for what would fill 320 kbit/s with pure ones.
  const voice = (detune: number, side: 0 | 1) =>
    [1, 5 / 4, 3 / 2]
      .map((ratio) => {
        const note = `0.15*sin(2*PI*${(pitchHz * ratio * detune).toFixed(4)}*t)*(0.6+0.4*sin(2*PI*${ratio}*t))`
        return ratio === 1 ? `${note}*(0.5+random(${side}))` : note
      })
      .join('+')
  const source = `aevalsrc=exprs='${voice(1, 0)}|${voice(1.003, 1)}':s=44100:d=${seconds}`
  const metadata = Object.entries(tags).flatMap(([key, value]) => ['-metadata', `${key}=${value}`])
  const isCovered = coverSide !== undefined
  const picture = ['-f', 'lavfi', '-i', `testsrc=size=${coverSide}x${coverSide}:d=1`]
  const attached = ['-map', '0:a', '-map', '1:v', '-frames:v', '1', '-disposition:v', 'attached_pic']
  await runProgram('ffmpeg', [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    source,
    ...(isCovered ? picture : []),
    ...metadata,
    ...(isCovered ? attached : []),
    ...encoders[format],
    '-y',
    file,
  ])
  return file
}

/**
 * Decodes all of it, as a player does.
 * @param options.forgiven complaints of ffmpeg that do not count, line by line
 * @param options.isFile behind a URL. @default it is a playlist
 * @returns ms of sound that came out
 * @throws with what ffmpeg complains of
 */
export async function decodedMs(
  input: string,
  options: { forgiven?: RegExp; isFile?: boolean } = {},
): Promise<number> {
  const samples = ['-f', 's16le', '-ar', '44100', '-ac', '1', 'pipe:1']
  // With lasting connections ffmpeg 5.1 complains whenever a playlist names a second host.
  const hls = input.startsWith('http:') && options.isFile !== true ? ['-http_persistent', '0'] : []
  const { bytes, complaint } = await runProgram('ffmpeg', [
    '-v',
    'error',
    '-nostdin',
    ...hls,
    '-i',
    input,
    ...samples,
  ])
  const complaints = complaint.split('\n').filter((line) => line !== '' && !options.forgiven?.test(line))
  if (complaints.length > 0) throw new Error(`ffmpeg complains about ${input}: ${complaints.join('\n')}`)
  return Math.round((bytes / 2 / 44_100) * 1000)
}

export type ProgramResult = { bytes: number; output: string; complaint: string }

/** Runs a program to its end. @returns how much it wrote, and the end of it @throws when it fails or takes too long */
export function runProgram(
  program: string,
  args: readonly string[],
  timeoutMs = 60_000,
): Promise<ProgramResult> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let bytes = 0
  let output = ''
  let complaint = ''
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    output = (output + chunk.toString('latin1')).slice(-20_000)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk).slice(-4_000)
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve({ bytes, output, complaint: complaint.trim() })
      else reject(new Error(`${program} ended with ${signal ?? code}: ${complaint.trim()}`))
    })
  })
}
