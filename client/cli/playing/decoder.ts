import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Where the sound goes: `null` decodes every sample as fast as it comes and drops it. */
export type Output = 'speaker' | 'null'

export type Decoder = {
  /** Takes the next bytes of the fMP4 stream; waits while the player is behind. */
  write(bytes: Uint8Array): Promise<void>
  /** When the first sample was decoded (`performance.now()`); ffplay never tells. */
  readonly firstSample: Promise<number>
  /** Ends the stream. @returns seconds of sound that were decoded (0 for the speaker, which does not tell) */
  finish(): Promise<number>
  close(): void
}

/** No decoder on this machine, or it could not read the stream. */
export class DecoderError extends Error {
  override readonly name = 'DecoderError'
}

const quiet = ['-hide_banner', '-loglevel', 'error', '-protocol_whitelist', 'pipe', '-i', 'pipe:0']
const bytesPerSecond = 48_000 * 2 * 2

/** Starts ffmpeg (or ffplay for the speaker) on a stream of verified bytes.
 * @throws DecoderError from `write` and `finish` when it fails */
export function startDecoder(output: Output): Decoder {
  const [program, args] =
    output === 'speaker'
      ? ['ffplay', ['-nodisp', '-autoexit', ...quiet]]
      : ['ffmpeg', ['-nostats', ...quiet, '-f', 's16le', '-ar', '48000', '-ac', '2', 'pipe:1']]
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const first = Promise.withResolvers<number>()
  let decodedBytes = 0
  let complaint = ''
  let failure: DecoderError | undefined
  child.stdout.on('data', (chunk: Buffer) => {
    if (decodedBytes === 0) first.resolve(performance.now())
    decodedBytes += chunk.length
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk).slice(-2000)
  })
  child.on('error', (cause) => {
    failure = new DecoderError(`${program} cannot be started: install ffmpeg (${cause.message})`, { cause })
  })
  // A player that was closed while bytes were on their way: `finish` tells how it ended.
  child.stdin.on('error', (cause) => {
    failure ??= new DecoderError(`${program} stopped reading: ${complaint.trim() || cause.message}`, {
      cause,
    })
  })
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    firstSample: first.promise,
    async write(bytes) {
      if (failure) throw failure
      if (child.stdin.write(bytes)) return
      await Promise.race([once(child.stdin, 'drain'), exit])
      if (failure) throw failure
    },
    async finish() {
      child.stdin.end()
      const code = await exit
      if (failure) throw failure
      if (code !== 0 || complaint !== '') {
        throw new DecoderError(`${program} could not play the stream: ${complaint.trim() || `exit ${code}`}`)
      }
      return decodedBytes / bytesPerSecond
    },
    close: () => void child.kill('SIGKILL'),
  }
}
