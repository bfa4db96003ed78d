import { setPriority } from 'node:os'
import { type Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import fluentFfmpeg from 'fluent-ffmpeg'
import { inputOptions, inputUrl } from './input-options.ts'
import { ProgramFailed, ProgramLimit, ProgramMissing } from './process-errors.ts'

/** One run of ffmpeg. */
export type FfmpegRun = {
  /** Path of the file to read, or its bytes, which are destroyed at the end. */
  readonly input: string | Readable
  /** ffmpeg's own syntax; without it each output maps what it wants. */
  readonly filterGraph?: string
  /** Where the audio goes: a path as ffmpeg takes it, or (for one of them) a function that gets the bytes. */
  readonly outputs: readonly { readonly options: readonly string[]; readonly to: string | ByteSink }[]
  /** `info` also logs what filters have to say at the end. @default 'error' */
  readonly logLevel?: 'error' | 'info'
  /** `now`: somebody waits for it, and it is over in a moment. `soon`: somebody waits for it. @default 'whenever' */
  readonly pace?: 'now' | 'soon' | 'whenever'
  /** Called once its process is there. */
  readonly onStart?: (() => void) | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export type ByteSink = (bytes: Uint8Array) => void

/** The ffmpeg of this machine, held within bounds. */
export type Ffmpeg = {
  /**
   * Runs ffmpeg, at the lowest priority unless its pace is another, on one core and resolves once it has ended well, all output taken.
   * @returns the last of what it logged
   * @throws ProgramMissing, ProgramFailed, ProgramLimit, or the signal's reason
   */
  run(run: FfmpegRun): Promise<{ stderr: string }>
  /** Makes sure that this ffmpeg can do what we need. @throws ProgramMissing saying what is absent */
  check(): Promise<void>
  /** Whether it was built with Chromaprint, as Debian's is. @throws ProgramMissing */
  canFingerprint(): Promise<boolean>
}

export type FfmpegOptions = {
  /** @default 'ffmpeg', from PATH */
  path?: string | undefined
  /** Address space of one process. @default 2 GiB */
  memoryBytes?: number
}

/** All below everything that serves listeners; what somebody waits for is not starved by whatever else the machine does. */
const niceness = { now: 2, soon: 10, whenever: 19 }
/** More than any real run needs: ffmpeg itself links libraries of some hundred MB. */
const defaultMemoryBytes = 2 * 1024 ** 3
/** A segment has at most 1 MiB, playlists are small: whatever file grows past this is a mistake or an attack. */
const largestFileBytes = 16 * 1024 ** 2
/** A broken file can have an error logged for each frame. */
const largestLogBytes = 1024 ** 2
const keptLogLines = 60

const neededEncoders = ['aac', 'flac', 'pcm_s16le'] as const
const neededFormats = ['hls', 'mp4', 's16le', 'null'] as const

/**
 * The only place that knows `fluent-ffmpeg`, whose upstream is archived: it gives us spawning and the
 * order of arguments; every bound is ours.
 */
export function createFfmpeg(options: FfmpegOptions = {}): Ffmpeg {
  const path = options.path ?? 'ffmpeg'
  const memoryBytes = options.memoryBytes ?? defaultMemoryBytes

  async function run(run: FfmpegRun): Promise<{ stderr: string }> {
    run.signal.throwIfAborted()
    await check()
    const sinks: Writable[] = []
    const command = fluentFfmpeg({ stdoutLines: keptLogLines, logger: silentLogger })
    command.setFfmpegPath(shell)
    command
      .input(typeof run.input === 'string' ? inputUrl(run.input) : run.input)
      .inputOptions(...limitedProgram(path, memoryBytes), ...globalOptions(run.logLevel ?? 'error'))
    if (run.filterGraph !== undefined) command.complexFilter(run.filterGraph)
    for (const { options, to } of run.outputs) {
      const target = typeof to === 'string' ? to : sinkOf(to)
      if (target instanceof Writable) sinks.push(target)
      command.output(target as Writable).outputOptions(...options)
    }
    const { promise, resolve, reject } = Promise.withResolvers<{ stderr: string }>()
    let stopped: Error | null = null
    const stop = (reason: Error) => {
      stopped ??= reason
      command.kill('SIGKILL')
      // Killed before it was spawned: there is no process whose end would settle the promise.
      if (processOf(command) === undefined) reject(stopped)
    }
    command.on('start', () => {
      // Not by `nice`, which is one more program to start. Until its end is seen here the process is there.
      const { pid } = processOf(command) ?? {}
      if (pid !== undefined) setPriority(pid, niceness[run.pace ?? 'whenever'])
      if (stopped !== null) command.kill('SIGKILL')
      run.onStart?.()
      let logged = 0
      processOf(command)?.stderr?.on('data', (text: string) => {
        logged += text.length
        if (logged > largestLogBytes) stop(new ProgramLimit('ffmpeg found too many errors in the file'))
      })
    })
    command.on('end', (_stdout: unknown, stderr: unknown) => resolve({ stderr: String(stderr ?? '') }))
    command.on('error', (error: Error, _stdout: unknown, stderr: unknown) => {
      reject(stopped ?? failureOf(error, String(stderr ?? '')))
    })
    // Without its end ffmpeg would wait for more.
    if (typeof run.input !== 'string') run.input.once('error', stop)
    const onAbort = () => stop(run.signal.reason)
    run.signal.addEventListener('abort', onAbort, { once: true })
    const timer = setTimeout(
      () => stop(new ProgramLimit(`ffmpeg took longer than ${Math.round(run.timeoutMs / 1000)} s`)),
      run.timeoutMs,
    )
    try {
      command.run()
      const result = await promise
      await Promise.all(sinks.map((sink) => finished(sink)))
      return result
    } finally {
      clearTimeout(timer)
      run.signal.removeEventListener('abort', onAbort)
      for (const sink of sinks) sink.destroy()
      if (typeof run.input !== 'string') run.input.destroy()
    }
  }

  /** fluent-ffmpeg asks what ffmpeg can do before the first run; of the shell in front of it, it must not ask. */
  let checked: Promise<{ fingerprints: boolean }> | undefined
  function capabilities(): Promise<{ fingerprints: boolean }> {
    checked ??= askCapabilities().catch((error: unknown) => {
      checked = undefined
      throw error
    })
    return checked
  }

  async function check(): Promise<void> {
    await capabilities()
  }

  async function askCapabilities(): Promise<{ fingerprints: boolean }> {
    const command = fluentFfmpeg({ logger: silentLogger })
    command.setFfmpegPath(path)
    const [formats, encoders] = await Promise.all([formatsOf(command, path), encodersOf(command, path)])
    const missing = [...neededFormats.filter((name) => !formats.has(name)), ...encoders]
    if (missing.length > 0) throw new ProgramMissing(`this ffmpeg (${path}) lacks ${missing.join(', ')}`)
    return { fingerprints: formats.has('chromaprint') }
  }

  return { run, check, canFingerprint: async () => (await capabilities()).fingerprints }
}

function globalOptions(logLevel: 'error' | 'info'): string[] {
  return [
    '-hide_banner',
    '-nostdin',
    '-nostats',
    '-v',
    logLevel,
    '-threads',
    '1',
    '-filter_complex_threads',
    '1',
    ...inputOptions,
  ]
}

/** Never emits `close`: fluent-ffmpeg takes that for an accident when the process is some moments slower to end. */
function sinkOf(take: ByteSink): Writable {
  return new Writable({
    emitClose: false,
    write(chunk: Uint8Array, _encoding, done) {
      take(chunk)
      done()
    },
  })
}

/** What fluent-ffmpeg keeps of its child; its types leave it out. */
type Child = { pid?: number; stderr?: NodeJS.ReadableStream | null }
function processOf(command: fluentFfmpeg.FfmpegCommand): Child | undefined {
  return (command as unknown as { ffmpegProc?: Child }).ffmpegProc
}

const shell = '/bin/sh'

/** Not every system has every limit (macOS has none for memory): what there is holds. */
const limitScript = 'ulimit -c 0; ulimit -f "$1"; ulimit -v "$2"; shift 2; exec "$@"'

/**
 * What the shell is given to run a program within limits, which Node cannot set for a child itself. The shell becomes
 * the program, so that it is one process, killed by one signal.
 */
function limitedProgram(path: string, memoryBytes: number): string[] {
  // Files are counted in blocks of 512 bytes, memory in KiB.
  const [files, memory] = [largestFileBytes / 512, Math.floor(memoryBytes / 1024)]
  return ['-c', limitScript, shell, String(files), String(memory), path]
}

function failureOf(error: Error, stderr: string): Error {
  // What a shell answers for a program that is not there or not executable.
  if (/exited with code 12[67]/.test(error.message)) {
    return new ProgramMissing(`ffmpeg cannot be started: ${stderr.trim()}`, { cause: error })
  }
  if (/SIGXFSZ/.test(error.message)) return new ProgramLimit('ffmpeg wrote a file that is far too large')
  if (/Cannot allocate memory/.test(stderr)) return new ProgramLimit('ffmpeg needed too much memory')
  // The rest of the message is what ffmpeg said, with the paths of this machine.
  const [message = 'ffmpeg failed'] =
    /^ffmpeg (exited with code \d+|was killed with signal \w+)/.exec(error.message) ?? []
  return new ProgramFailed(message, { cause: error, stderr, killed: message.includes('signal') })
}

/** Those that it writes. */
async function formatsOf(command: fluentFfmpeg.FfmpegCommand, path: string): Promise<Set<string>> {
  const formats = await asked<Record<string, { canMux: boolean }>>(path, (answer) =>
    command.getAvailableFormats(answer),
  )
  return new Set(Object.keys(formats).filter((name) => formats[name]?.canMux))
}

async function encodersOf(command: fluentFfmpeg.FfmpegCommand, path: string): Promise<string[]> {
  const encoders = await asked<Record<string, unknown>>(path, (answer) =>
    command.getAvailableEncoders(answer),
  )
  return neededEncoders.filter((name) => !(name in encoders))
}

function asked<Answer>(
  path: string,
  ask: (answer: (error: Error | null, found: Answer) => void) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    ask((error, found) => {
      if (error)
        reject(new ProgramMissing(`ffmpeg (${path}) cannot be started: ${error.message}`, { cause: error }))
      else resolve(found)
    })
  })
}

const silentLogger = { debug() {}, info() {}, warn() {}, error() {} }
