/** What can be wrong with an uploaded file, as clients and tests name it. */
export type SourceProblem =
  | 'emptyFile'
  | 'notAudio'
  | 'noAudio'
  | 'truncated'
  | 'tooLong'
  | 'tooLarge'
  | 'undecodable'
  | 'checksumMismatch'
  /** A CAR that holds no whole track. */
  | 'notATrack'

/** The file cannot become a track, and trying again will not help. The message is for the artist. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
  readonly problem: SourceProblem

  constructor(problem: SourceProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.problem = problem
  }
}

/** Other decoders may read what ffmpeg does not: then the artist has the music all the same. */
export const saveAnew =
  'if it plays elsewhere, save it as FLAC or WAV in the program that plays it, and send that'
