import { randomBytes } from 'node:crypto'
import { recordedTrack } from '@hexachord/sdk/fixtures'
import { describe, expect, test } from '@jest/globals'
import { startDecoder } from './decoder.ts'

const { track, blocks } = await recordedTrack({ seconds: 20, kbps: [96] })
const [rendition] = track.renditions

function bytesOf(cid: string | undefined): Uint8Array {
  return blocks.get(cid ?? '') ?? new Uint8Array()
}

const parts = [
  bytesOf(rendition?.init.data['/']),
  ...(rendition?.segments.map(([, , link]) => bytesOf(link['/'])) ?? []),
]

describe('the decoder', () => {
  test('decodes all of a stream, and tells when the first sample was there', async () => {
    const startedAt = performance.now()
    const decoder = startDecoder('null')
    for (const part of parts) await decoder.write(part)
    const decoded = await decoder.finish({ expectedMs: 20_000 })
    // A frame of AAC lasts 23 ms; an encoder adds one or two.
    expect(Math.abs((decoded?.decodedMs ?? 0) - 20_000)).toBeLessThan(100)
    expect(decoded?.firstSampleAt).toBeGreaterThan(startedAt)
    expect(decoded?.firstSampleAt).toBeLessThan(performance.now())
  })

  test('refuses what is no sound', async () => {
    const decoder = startDecoder('null')
    const playing = (async () => {
      await decoder.write(randomBytes(200_000))
      return decoder.finish()
    })()
    await expect(playing).rejects.toThrow(/^ffmpeg could not play the stream: /)
  })

  test('refuses a stream with a hole of garbage', async () => {
    const decoder = startDecoder('null')
    const [init, first, second, ...rest] = parts
    const playing = (async () => {
      for (const part of [init, first, randomBytes(second?.length ?? 0), ...rest]) {
        if (part) await decoder.write(part)
      }
      return decoder.finish({ expectedMs: 20_000 })
    })()
    // ffmpeg itself finds nothing wrong with a stream that ends early.
    await expect(playing).rejects.toThrow('only 6.0 s of 20.0 s could be decoded')
  })

  test('finds no sound in nothing', async () => {
    await expect(startDecoder('null').finish()).rejects.toMatchObject({ name: 'DecoderError' })
  })

  test('stops reading with a clear error when it is killed', async () => {
    const decoder = startDecoder('null')
    decoder.close()
    const endless = (async () => {
      for (;;) await decoder.write(randomBytes(100_000))
    })()
    await expect(endless).rejects.toThrow('ffmpeg could not play the stream: it ended with SIGKILL')
  })

  test('is stopped by a signal, also while it waits', async () => {
    const stop = new AbortController()
    const decoder = startDecoder('null', stop.signal)
    if (parts[0]) await decoder.write(parts[0])
    const finishing = decoder.finish()
    stop.abort(new Error('interrupted'))
    await expect(finishing).rejects.toThrow('interrupted')
  })
})
