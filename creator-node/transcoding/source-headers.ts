import { type FileHandle, open } from 'node:fs/promises'
import { readMovie } from './fmp4/index.ts'

/** What a file's own headers say of its sound. */
export type SourceHeaders =
  | { readonly codec: 'aac'; readonly sampleRateHz: number; readonly channels: number }
  | {
      readonly codec: 'flac'
      readonly sampleRateHz: number
      readonly channels: number
      readonly bitsPerSample: number
    }

/** `fLaC`, the header of a block of metadata, and STREAMINFO, which is always the first: RFC 9639 8.2. */
const flacHeadBytes = 42
const streamInfoAt = 8

/**
 * Reads FLAC and AAC in MP4, as most music comes, with a few looks into the file: a library takes longer than the first
 * segment can wait.
 * @returns undefined for a file of any other kind
 * @throws Fmp4Error, and what a file system throws
 */
export async function readSourceHeaders(path: string): Promise<SourceHeaders | undefined> {
  const file = await open(path)
  try {
    const head = await readAt(file, 0, flacHeadBytes)
    if (head.length < flacHeadBytes) return undefined
    if (isFlac(head)) return flacOf(head)
    if (head.toString('latin1', 4, 8) === 'ftyp') return await aacOf(file)
    return undefined
  } finally {
    await file.close()
  }
}

/** Whether a file can be read from its start to its end, with nothing that tells of it behind what is told of: so that
 * it can be worked on while it comes. Says no of all but FLAC. */
export async function readsInOrder(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    return isFlac(await readAt(file, 0, flacHeadBytes))
  } finally {
    await file.close()
  }
}

function isFlac(head: Buffer): boolean {
  return head.length === flacHeadBytes && head.toString('latin1', 0, 4) === 'fLaC'
}

function flacOf(head: Buffer): SourceHeaders {
  // After 10 bytes of block and frame sizes: 20 bits of rate, 3 of channels less one, 5 of sample size less one.
  const bits = head.readUInt32BE(streamInfoAt + 10)
  return {
    codec: 'flac',
    sampleRateHz: bits >>> 12,
    channels: ((bits >>> 9) & 7) + 1,
    bitsPerSample: ((bits >>> 4) & 31) + 1,
  }
}

/** Boxes before the index; a file with more of them is left to others. */
const maximumBoxes = 100
/** The index of hours of music; a longer one takes long to read anyway. */
const maximumMovieBytes = 1 << 20
/** ISO/IEC 14496-3: AAC-LC in an MPEG-4 stream. */
const aacLc = 'mp4a.40.2'

/** The index stands at the end of most files, behind the sound. */
async function aacOf(file: FileHandle): Promise<SourceHeaders | undefined> {
  let at = 0
  for (let box = 0; box < maximumBoxes; box++) {
    const header = await readAt(file, at, 16)
    if (header.length < 16) return undefined
    const short = header.readUInt32BE(0)
    const size = short === 1 ? Number(header.readBigUInt64BE(8)) : short
    if (header.toString('latin1', 4, 8) === 'moov') {
      if (size > maximumMovieBytes) return undefined
      const { codec, ...sound } = readMovie(await readAt(file, at, size))
      return codec === aacLc ? { codec: 'aac', ...sound } : undefined
    }
    if (size < 8) return undefined
    at += size
  }
  return undefined
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
  return buffer.subarray(0, bytesRead)
}
