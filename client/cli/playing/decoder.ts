import { spawn } from 'node:child_process'

/** Where the sound goes: `null` decodes every sample as fast as it comes and drops it. */
export type Output = 'speaker' | 'null'

export type Decoded = {
  /** Length of the sound. */
  readonly decodedMs: number
  /** When the first sample was there, of `performance.now()`. */
  readonly firstSampleAt: number
}

export type Decoder = {
  /** Takes the next bytes of the fMP4 stream; waits while the player is behind. @throws DecoderError */
  write(bytes: Uint8Array): Promise<void>
  /** Ends the stream and waits until all of it was played. @returns null for the speaker: ffplay tells nothing
   * @param expectedMs what the stream should last
   * @throws DecoderError when it could not read the stream, or less came out than went in */
  finish(options?: { expectedMs?: number }): Promise<Decoded | null>
  close(): void
}

/** No decoder on this machine, or it could not read the stream. */
export class DecoderError extends Error {
  override readonly name = 'DecoderError'
}

const quiet = ['-hide_banner', '-loglevel', 'error', '-protocol_whitelist', 'pipe', '-i', 'pipe:0']
const commands: { readonly [name in Output]: readonly [string, string[]] } = {
  speaker: ['ffplay', ['-nodisp', '-autoexit', ...quiet]],
  null: ['ffmpeg', ['-nostats', ...quiet, '-f', 's16le', '-ar', '48000', '-ac', '2', 'pipe:1']],
}
const bytesPerMs = 48 * 2 * 2
/** Encoders add a few frames at either end, of some 20 ms each. */
const toleranceMs = 500
const shownCharacters = 500

/** Starts ffmpeg (or ffplay for the speaker) on a stream of verified bytes; `signal` kills it. */
export function startDecoder(output: Output, signal?: AbortSignal): Decoder {
  const [program, args] = commands[output]
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const close = () => void child.kill('SIGKILL')
  signal?.addEventListener('abort', close, { once: true })
  if (signal?.aborted) close()
  let firstSampleAt: number | undefined
  let decodedBytes = 0
  let complaint = ''
  let isMissing: Error | undefined
  let isBroken = false
  child.stdout.on('data', (chunk: Buffer) => {
    firstSampleAt ??= performance.now()
    decodedBytes += chunk.length
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk).slice(-shownCharacters)
  })
  child.on('error', (error) => {
    isMissing = error
  })
  // It stopped reading before the end. Why is known when it has exited.
  child.stdin.on('error', () => {
    isBroken = true
  })
  const exit = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      signal?.removeEventListener('abort', close)
      resolve(code)
    })
  })

  const check = async (mayStillRun: boolean): Promise<void> => {
    if (mayStillRun && !isBroken && !isMissing && child.exitCode === null && child.signalCode === null) return
    const code = await exit
    signal?.throwIfAborted()
    if (isMissing) {
      throw new DecoderError(`${program} cannot be started: install ffmpeg (${isMissing.message})`)
    }
    if (code === 0 && complaint === '' && !mayStillRun) return
    const why = complaint.trim() || `it ended with ${code ?? child.signalCode}`
    throw new DecoderError(`${program} could not play the stream: ${why}`)
  }

  return {
    async write(bytes) {
      await check(true)
      if (child.stdin.write(bytes)) return
      const drained = new Promise<void>((resolve) => child.stdin.once('drain', resolve))
      await Promise.race([drained, exit])
      await check(true)
    },
    async finish({ expectedMs = 0 } = {}) {
      child.stdin.end()
      await check(false)
      if (output === 'speaker') return null
      if (firstSampleAt === undefined) throw new DecoderError(`${program} found no sound in the stream`)
      const decodedMs = Math.round(decodedBytes / bytesPerMs)
      if (decodedMs < expectedMs - toleranceMs) {
        const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
        throw new DecoderError(`only ${seconds(decodedMs)} of ${seconds(expectedMs)} could be decoded`)
      }
      return { decodedMs, firstSampleAt }
    },
    close,
  }
}
