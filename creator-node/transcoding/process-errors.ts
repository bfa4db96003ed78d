/** ffmpeg or ffprobe cannot be started: nothing is wrong with the file. */
export class ProgramMissing extends Error {
  override readonly name = 'ProgramMissing'
}

/** The program ended with a failure. The message names no path; what the program said does. */
export class ProgramFailed extends Error {
  override readonly name = 'ProgramFailed'
  /** The last of what it said. */
  readonly stderr: string
  /** Whether somebody ended it, such as a system that ran out of memory: nothing is known of the file then. */
  readonly killed: boolean

  constructor(message: string, options: ErrorOptions & { stderr?: string; killed?: boolean } = {}) {
    super(message, options)
    this.stderr = options.stderr ?? ''
    this.killed = options.killed ?? false
  }
}

/** What the program wrote breaks off, although it ended well: its disk had no room. */
export class OutputCutShort extends Error {
  override readonly name = 'OutputCutShort'
}

/** The program used up its time, its memory or the room for its output. */
export class ProgramLimit extends Error {
  override readonly name = 'ProgramLimit'
}
