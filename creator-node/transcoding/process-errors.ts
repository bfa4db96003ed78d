/** ffmpeg or ffprobe cannot be started: nothing is wrong with the file. */
export class ProgramMissing extends Error {
  override readonly name = 'ProgramMissing'
}

/** The program ended with a failure; `stderr` holds the last of what it said. */
export class ProgramFailed extends Error {
  override readonly name = 'ProgramFailed'
  readonly stderr: string

  constructor(message: string, stderr: string, options?: ErrorOptions) {
    super(message, options)
    this.stderr = stderr
  }
}

/** The program used up its time, its memory or the room for its output. */
export class ProgramLimit extends Error {
  override readonly name = 'ProgramLimit'
}
