import { lintPlaylist } from '@hexachord/protocol/hls-lint'
import { decryptSegment, segmentKey } from '@hexachord/protocol/premium'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  connectionTo,
  decodedMs,
  type PremiumTrack,
  premiumTrack,
  serveBlocks,
  servePremium,
  subject,
  trackOf,
} from '../fixtures/index.ts'
import type { KeyPlace, TryKey } from '../paying/index.ts'
import { openTrack, playSegments, TrackLocked } from './index.ts'

const seconds = 14
const hidden = await premiumTrack({ seconds, clearSegments: 0 })
const withPreview = await premiumTrack({ seconds, clearSegments: 1 })

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function opened({ track, blocks, secret }: PremiumTrack, mayOpen = true) {
  const gateway = await serveBlocks(blocks)
  closing.push(gateway.close)
  const asked: KeyPlace[] = []
  const salt = track.renditions[0]?.encryption?.salt ?? ''
  const keys = async (place: KeyPlace, tryKey: TryKey) => {
    asked.push(place)
    // One in 256 wrong keys has a padding that fits.
    const wrong = Array.from({ length: 8 }, (_, first) => Uint8Array.from({ length: 16 }, () => first))
    const tried = await Promise.allSettled(wrong.map(tryKey))
    expect(tried.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(4)
    return segmentKey(secret, salt, place.segment).key
  }
  const found = trackOf(subject, track, [gateway.origin])
  return { asked, track: await openTrack(connectionTo(), found, mayOpen ? { keys } : {}) }
}

/** What the file would be if it were in the clear. */
async function clearFile({ track, blocks, secret }: PremiumTrack): Promise<Buffer> {
  const [rendition] = track.renditions
  const { salt = '', clearSegments = 0 } = rendition?.encryption ?? {}
  const clear = (cid: string, index: number) => {
    const bytes = blocks.get(cid) ?? new Uint8Array()
    return index < clearSegments ? bytes : decryptSegment(bytes, segmentKey(secret, salt, index))
  }
  const segments = rendition?.segments.map(([, , link], index) => clear(link['/'], index)) ?? []
  return Buffer.concat(await Promise.all([clear(rendition?.init.data['/'] ?? '', 0), ...segments]))
}

describe.each([
  ['of which all is encrypted', hidden],
  ['that begins with a preview', withPreview],
])('a premium track %s', (_, premium) => {
  test('has playlists that are valid, and that ffmpeg plays', async () => {
    const server = await servePremium(premium)
    closing.push(server.close)
    const text = await (await fetch(`${server.origin}/media.m3u8`)).text()
    expect(lintPlaylist(text)).toEqual([])
    const tags = [...text.matchAll(/^#EXT-X-(KEY|MAP)/gm)].map(([, tag]) => tag)
    expect(tags).toEqual(premium === hidden ? ['KEY', 'MAP', 'KEY', 'KEY'] : ['MAP', 'KEY', 'KEY'])
    expect(Math.abs((await decodedMs(`${server.origin}/master.m3u8`)) - seconds * 1000)).toBeLessThan(100)
  })

  test('plays through the SDK byte by byte as it was made, and asks for each key once', async () => {
    const { track, asked } = await opened(premium)
    const parts: Uint8Array[] = []
    for await (const part of playSegments(track, 0)) parts.push('init' in part ? part.init : part.bytes)
    expect(Buffer.concat(parts).equals(await clearFile(premium))).toBe(true)
    const places = asked.map(({ segment }) => segment).sort()
    expect(places).toEqual(premium === hidden ? [0, 1, 2] : [1, 2])
    // What reads it further, such as hls.js, is told of a track in the clear.
    expect(track.media(0, (cid) => cid)).not.toContain('EXT-X-KEY')
  })
})

describe('without keys', () => {
  test('a preview plays, and then the listener is told why it ends', async () => {
    const { track } = await opened(withPreview, false)
    const heard: number[] = []
    const playing = (async () => {
      for await (const part of playSegments(track, 0)) if ('index' in part) heard.push(part.index)
    })()
    await expect(playing).rejects.toThrow(TrackLocked)
    expect(heard).toEqual([0])
  })
})
