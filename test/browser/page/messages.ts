/** How a page is to play. */
export type PlayerSettings = {
  /** Stops when so much of the track was played, or at its end. */
  untilSecond: number
  /** What hls.js holds ahead. @default 30 */
  bufferSeconds?: number
  /** When the listener clicked, of `performance.now()`. @default when hls.js is made */
  startedAt?: number
}

export type SdkPlayback = PlayerSettings & {
  discovery: string[]
  creators: string[]
  track: `0x${string}-${string}`
}

/** What came out of the player. */
export type Heard = {
  /** From the click to the event `playing`. */
  clickToPlayingMs: number
  /** Place in the track when it was stopped. */
  seconds: number
  durationSeconds: number
  /** Compressed bytes that Chromium's decoder has taken. */
  decodedBytes: number
  /** Highest sample that came out, of 1. */
  loudest: number
  /** Times at which the sound was looked at, after its first half second, and how often there was none. */
  looks: number
  silentLooks: number
  /** Where in the track, in seconds, the player had to wait for data after it had begun. */
  interruptions: number[]
  /** Of hls.js, also those it got over. */
  errors: string[]
  /** Where the buffer has a hole, in seconds. */
  gaps: number[]
  /** Of the SDK: sources that failed, and blocks that each gave. */
  faults?: string[]
  blocks?: { source: string; blocks: number }[]
}

/** What a page is to publish. */
export type Publication = {
  discovery: string[]
  creators: string[]
  name: string
  /** The file. */
  base64: string
  details: { title: string; artist: string; licence: string }
}

export type Published = {
  track: `0x${string}-${string}`
  /** Bytes sent, as they went. */
  sent: number[]
  /** States of the upload that were heard of. */
  states: string[]
}
