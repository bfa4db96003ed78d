import { readFile } from 'node:fs/promises'
import type { Track } from '@hexachord/protocol/rest'
import { eventually, makeTemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { newArtist } from '../network/artist.ts'
import { makeRecording } from '../network/recordings.ts'
import { type App, type AppPage, startApp } from './app-page.ts'
import { expectSound } from './expect-sound.ts'

const network = testNetwork()
const { discovery, creator } = network.urls
const seconds = 14

let app: App
let page: AppPage | undefined
let track: Track

beforeAll(async () => {
  app = await startApp()
  const folder = await makeTemporaryFolder()
  try {
    const file = await makeRecording(folder.path, { name: 'browser', seconds })
    ;({ track } = await (await newArtist(network)).release(file, { title: 'In a browser' }))
  } finally {
    await folder.remove()
  }
}, 120_000)
afterEach(() => page?.close())
afterAll(() => app?.close())

describe('a track of the network in Chromium', () => {
  test('plays through SDK and hls.js to its end, every block from a holder', async () => {
    page = await app.open()
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
    page = await app.open()
    const heard = await page.playUrl(`${discovery}/v1/tracks/${track.id}/stream`, { untilSecond: seconds })
    expectSound(heard)
    expect(Math.abs(heard.seconds - seconds)).toBeLessThan(0.5)
  })

  test('is published by a page, from a file that someone chose', async () => {
    const folder = await makeTemporaryFolder()
    try {
      const file = await makeRecording(folder.path, { name: 'chosen', seconds: 7 })
      const bytes = await readFile(file)
      page = await app.open()
      const published = await page.publishFile({
        discovery: [discovery],
        creators: [creator],
        name: 'chosen.flac',
        base64: bytes.toString('base64'),
        details: { title: 'Chosen', artist: 'A page', licence: 'CC0-1.0' },
      })
      expect(published.sent.at(-1)).toBe(bytes.length)
      expect(published.states.at(-1)).toBe('ready')
      const read = async () => (await fetch(`${discovery}/v1/tracks/${published.track}`)).json()
      // One that is slow to answer is listed when discovery asks again.
      const found = await eventually(read as () => Promise<Track>, {
        describe: 'the track with all its holders',
        until: ({ holders }) => holders.length === 3,
        deadlineMs: 30_000,
      })
      expect(found).toMatchObject({ title: 'Chosen', id: published.track })
    } finally {
      await folder.remove()
    }
  })

  test('starts soon after the click', async () => {
    const times: number[] = []
    for (let n = 0; n < 5; n++) {
      page = await app.open()
      const settings = { discovery: [discovery], creators: [creator], track: track.id, untilSecond: 1 }
      times.push((await page.playTrack(settings)).clickToPlayingMs)
      await page.close()
    }
    const [, , median = Number.NaN] = times.toSorted((a, b) => a - b)
    process.stderr.write(`Click to playing from the network: ${median} ms (${times.join(', ')})\n`)
    expect(median).toBeLessThan(2_000)
  })
})
