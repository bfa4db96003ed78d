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
/** The second of three is killed when the player has gone on from the loss of the first. */
const [killAtSecond, killAgainAtSecond] = [2, 9]

let network: BreakableNetwork
let app: App
let track: Track
let page: AppPage | undefined
let killed: { readonly name: string; readonly endpoint: string }[]

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
  killed = []
})
afterEach(async () => {
  await page?.close()
  await Promise.all(killed.map(({ name }) => network.processes.restart(name)))
})
afterAll(async () => {
  await app?.close()
  await network?.remove()
})

/** Kills the content service, of those alive, that the page has asked last, as a power cut would do. */
async function killSource(): Promise<void> {
  const asked = page?.requests.map((url) => new URL(url).origin) ?? []
  const alive = network.urls.content.filter((origin) => !killed.some(({ endpoint }) => endpoint === origin))
  const endpoint = asked.findLast((origin) => alive.includes(origin)) ?? alive[0] ?? ''
  const name = contentName(network.urls.content.indexOf(endpoint))
  killed.push({ endpoint, name })
  await network.processes.kill(name)
}

async function killOne(second: number): Promise<void> {
  if (second >= killAtSecond && killed.length === 0) await killSource()
}

async function killTwo(second: number): Promise<void> {
  await killOne(second)
  if (second >= killAgainAtSecond && killed.length === 1) await killSource()
}

describe('content services that are killed while a track of theirs plays', () => {
  test('are not heard through the SDK, though two of three go', async () => {
    page = await app.open(killTwo)
    const heard = await page.playTrack({
      discovery: [network.urls.discovery],
      creators: [network.urls.creator],
      track: track.id,
      untilSecond,
      // Little enough that most of the track is still to come when the holder goes.
      bufferSeconds: 6,
    })
    expect(killed).toHaveLength(2)
    const given = heard.blocks?.find(({ source }) => source === killed[0]?.endpoint)?.blocks
    expect(given).toBeGreaterThan(0)
    expectSound(heard)
    // Where one was asked again, another holder was asked at once, below the app.
    const unreachable = killed.map(({ endpoint }) => `${endpoint} unreachable`)
    for (const fault of heard.faults ?? []) expect(unreachable).toContain(fault)
    expect(heard.seconds).toBeGreaterThanOrEqual(untilSecond)
  })

  test('are not heard in hls.js alone, where one goes: the playlists name the other holders', async () => {
    page = await app.open(killOne)
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
