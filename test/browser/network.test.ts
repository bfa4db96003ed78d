import type { Track } from '@hexachord/protocol/rest'
import { makeTemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { newArtist } from '../network/artist.ts'
import { makeRecording } from '../network/recordings.ts'
import { expectSound } from './expect-sound.ts'
import { type Player, type PlayerPage, startPlayer } from './player-page.ts'

const network = testNetwork()
const { discovery, creator } = network.urls
const seconds = 18

let player: Player
let page: PlayerPage | undefined
let track: Track

beforeAll(async () => {
  player = await startPlayer()
  const folder = await makeTemporaryFolder()
  try {
    const file = await makeRecording(folder.path, { name: 'browser', seconds })
    ;({ track } = await (await newArtist(network)).release(file, { title: 'In a browser' }))
  } finally {
    await folder.remove()
  }
}, 120_000)
afterEach(() => page?.close())
afterAll(() => player?.close())

describe('a track of the network in Chromium', () => {
  test('plays through SDK and hls.js to its end, every block from a holder', async () => {
    page = await player.open()
    const heard = await page.playTrack({
      discovery: [discovery],
      creators: [creator],
      track: track.id,
      untilSecond: seconds,
    })
    expectSound(heard)
    expect(Math.abs(heard.seconds - seconds)).toBeLessThan(0.5)
    expect(heard.faults).toEqual([])
    const holders = track.holders.map(({ endpoint }) => endpoint)
    for (const url of page.requests) {
      const { origin, pathname } = new URL(url)
      expect(pathname.startsWith('/ipfs/') ? holders : [discovery]).toContain(origin)
    }
  })

  test('plays in hls.js alone from the link that anybody can be given', async () => {
    page = await player.open()
    const heard = await page.playUrl(`${discovery}/v1/tracks/${track.id}/stream`, { untilSecond: seconds })
    expectSound(heard)
    expect(Math.abs(heard.seconds - seconds)).toBeLessThan(0.5)
  })

  test('starts soon after the click', async () => {
    const times: number[] = []
    for (let n = 0; n < 5; n++) {
      page = await player.open()
      const settings = { discovery: [discovery], creators: [creator], track: track.id, untilSecond: 1 }
      times.push((await page.playTrack(settings)).clickToPlayingMs)
      await page.close()
    }
    const [, , median = Number.NaN] = times.toSorted((a, b) => a - b)
    process.stderr.write(`Click to playing from the network: ${median} ms (${times.join(', ')})\n`)
    expect(median).toBeLessThan(2_000)
  })
})
