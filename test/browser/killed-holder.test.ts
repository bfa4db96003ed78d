import type { Track } from '@hexachord/protocol/rest'
import { contentName } from '@hexachord/scripts/local-network'
import { type BreakableNetwork, makeTemporaryFolder, startTestNetwork } from '@hexachord/scripts/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { newArtist } from '../network/artist.ts'
import { makeRecording } from '../network/recordings.ts'
import { type App, type AppPage, startApp } from './app-page.ts'
import { expectSound } from './expect-sound.ts'

const seconds = 36
const untilSecond = 18
const killAtSecond = 2

let network: BreakableNetwork
let app: App
let track: Track
let page: AppPage | undefined
let killed: { readonly name: string; readonly endpoint: string } | undefined

beforeAll(async () => {
  app = await startApp()
  network = await startTestNetwork({ signal: AbortSignal.timeout(120_000) })
  const folder = await makeTemporaryFolder()
  try {
    const file = await makeRecording(folder.path, { name: 'killed', seconds })
    ;({ track } = await (await newArtist(network)).release(file))
  } finally {
    await folder.remove()
  }
}, 180_000)
beforeEach(() => {
  killed = undefined
})
afterEach(async () => {
  await page?.close()
  if (killed) await network.processes.restart(killed.name)
})
afterAll(async () => {
  await app?.close()
  await network?.remove()
})

/** Kills the content service that the page has asked last, as a power cut would do. */
async function killSource(second: number): Promise<void> {
  if (second < killAtSecond || killed !== undefined) return
  const asked = page?.requests.map((url) => new URL(url).origin) ?? []
  const endpoint = asked.findLast((origin) => network.urls.content.includes(origin)) ?? ''
  killed = { endpoint, name: contentName(network.urls.content.indexOf(endpoint)) }
  await network.processes.kill(killed.name)
}

describe('a content service that is killed while its track plays', () => {
  test('is not heard through the SDK', async () => {
    page = await app.open(killSource)
    const heard = await page.playTrack({
      discovery: [network.urls.discovery],
      creators: [network.urls.creator],
      track: track.id,
      untilSecond,
      // Little enough that most of the track is still to come when the holder goes.
      bufferSeconds: 6,
    })
    const given = heard.blocks?.find(({ source }) => source === killed?.endpoint)?.blocks
    expect(given).toBeGreaterThan(0)
    expectSound(heard)
    // Where it was asked again, another holder was asked at once, below the app.
    for (const fault of heard.faults ?? []) expect(fault).toBe(`${killed?.endpoint} unreachable`)
    expect(heard.seconds).toBeGreaterThanOrEqual(untilSecond)
  })

  test('is not heard in hls.js alone: the playlists name the other holders', async () => {
    page = await app.open(killSource)
    const stream = `${network.urls.discovery}/v1/tracks/${track.id}/stream`
    // hls.js fetches its last segment once more from the next holder, in another rendition: with no more than six
    // seconds ahead, that would be the one that is being played.
    const heard = await page.playUrl(stream, { untilSecond, bufferSeconds: 12 })
    // hls.js itself has met the failure, and got over it.
    expect(heard.errors).toContainEqual(expect.stringMatching(/^(frag|level)LoadError/))
    expectSound({ ...heard, errors: heard.errors.filter((error) => !/^(frag|level)LoadError/.test(error)) })
    expect(heard.seconds).toBeGreaterThanOrEqual(untilSecond)
  })
})
