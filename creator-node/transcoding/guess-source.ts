import { parseFile } from 'music-metadata'
import type { AudioSource } from './probe.ts'
import { readSourceHeaders } from './source-headers.ts'

/** What is said of a file that does not tell its bit rate before all of it is read: that of most music. */
const usualBitRate = 256_000

/**
 * What a file seems to hold, by its first headers alone and in a few milliseconds. Only good for beginning what
 * {@link probe}, whose word counts, will most likely ask for.
 * @returns undefined where nothing can be told
 */
export async function guessSource(path: string): Promise<AudioSource | undefined> {
  // Whatever is wrong with the file, probing it will tell.
  const headers = await readSourceHeaders(path).catch(() => undefined)
  if (headers === undefined) return parseHeaders(path).catch(() => undefined)
  return {
    ...{ bitsPerSample: 16, profile: headers.codec === 'aac' ? 'LC' : undefined },
    ...{ lossless: headers.codec === 'flac', bitRate: usualBitRate },
    ...headers,
    ...{ durationMs: 0, durationStated: false },
  }
}

async function parseHeaders(path: string): Promise<AudioSource | undefined> {
  const { format } = await parseFile(path, { duration: false, skipCovers: true })
  const { codec, sampleRate: sampleRateHz, numberOfChannels: channels, lossless = false } = format
  if (codec === undefined || sampleRateHz === undefined || channels === undefined) return undefined
  return {
    ...codecOf(codec),
    ...{ sampleRateHz, channels, lossless },
    bitsPerSample: format.bitsPerSample ?? 16,
    bitRate: Math.round(format.bitrate ?? usualBitRate),
    ...{ durationMs: 0, durationStated: false },
  }
}

function codecOf(name: string): Pick<AudioSource, 'codec' | 'profile'> {
  if (/\bAAC\b/.test(name)) return { codec: 'aac', profile: 'LC' }
  return { codec: name.toLowerCase(), profile: undefined }
}
