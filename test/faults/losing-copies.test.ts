import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { blocksOf } from '@hexachord/protocol/manifests'
import type { Track } from '@hexachord/protocol/rest'
import { layOut } from '@hexachord/scripts/local-network'
import { findTrack } from '@hexachord/sdk/finding'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { wholeTrackOf } from '../network/node-blocks.ts'
import { makeRecording } from '../network/recordings.ts'
import { holdersIn } from './copies.ts'
import { commonStateHash, type FaultNetwork, readJson, startFaultNetwork } from './fault-network.ts'
import { listen } from './listening.ts'

const seconds = 30
const services = ['content-service-1', 'content-service-2', 'content-service-3']
const entry = fileURLToPath(new URL('short-times-content-service.ts', import.meta.url))
/** Of this one bad blocks are found by nobody but those who ask for them. */
const unscrubbed = 'content-service-2'
let network: FaultNetwork
let artist: Artist
let track: Track

beforeAll(async () => {
  network = await startFaultNetwork({
    adjustService(plan) {
      if (!plan.name.startsWith('content-service-')) return plan
      const day = { TEST_SCRUB_EVERY_MS: '86400000' }
      return { ...plan, entry, variables: { ...plan.variables, ...(plan.name === unscrubbed ? day : {}) } }
    },
  })
  artist = await newArtist(network)
  const file = await makeRecording(network.folder, { name: 'precious', seconds, format: 'm4a' })
  ;({ track } = await artist.release(file))
}, 120_000)
afterAll(() => network?.close())

const originOf = (name: string) => network.urls.content[services.indexOf(name)] ?? ''
const nameOf = (origin = '') => services[network.urls.content.indexOf(origin)] ?? ''

/** Each of these nodes has every block of the track, with the right hash. */
async function expectWholeAt(origins: readonly string[], deadlineMs = 60_000): Promise<void> {
  for (const origin of origins)
    await network.eventually(() => wholeTrackOf(origin, track.manifest), {
      describe: `every block of the track at ${origin}`,
      deadlineMs,
      everyMs: 300,
    })
}

test('two of three content services that are killed while they are played from are not heard', async () => {
  const killed: string[] = []
  const heard = await listen(artist.connection, await findTrack(artist.connection, track.id), {
    folder: network.folder,
    async during(index, sources) {
      if (index > 2) return
      // The one that gave the last segment, or else any other.
      const alive = services.filter((each) => !killed.includes(each))
      const name = alive.find((each) => originOf(each) === sources.at(-1)) ?? alive[0] ?? ''
      killed.push(name)
      await network.processes.kill(name)
    },
  })
  expect(killed).toHaveLength(2)
  expect(killed).toContain(nameOf(heard.sources[0]))
  expect(heard.segments).toBe(heard.of)
  expect(Math.abs(heard.ms - seconds * 1000)).toBeLessThan(250)
  expect(heard.faults.filter(({ kind }) => kind === 'lied')).toEqual([])
  await Promise.all(killed.map((name) => network.processes.restart(name)))
}, 60_000)

describe('one bit that is turned over in a stored block', () => {
  async function turnOneBitOver(name: string, which: number): Promise<{ cid: string; file: string }> {
    // From another one, since this one would have in memory what it was asked for.
    const { track: loaded } = await wholeTrackOf(originOf('content-service-3'), track.manifest)
    const { cid = '' } = blocksOf(loaded).at(which) ?? {}
    const directory = path.join(layOut(network.directory).dataDirectory(name), 'blocks')
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    const found = entries.find((entry) => entry.name === cid)
    if (found === undefined) throw new Error(`${name} has no file for ${cid}`)
    const file = path.join(found.parentPath, found.name)
    const bytes = await readFile(file)
    bytes.writeUInt8((bytes[7] ?? 0) ^ 0x10, 7)
    await writeFile(file, bytes)
    return { cid, file }
  }

  test('is found by scrubbing, with nobody asking for it, and repaired', async () => {
    const name = 'content-service-1'
    const { cid, file } = await turnOneBitOver(name, -1)
    const right = await blockAt(cid)
    await network.eventually(async () => (await readFile(file)).equals(right), {
      describe: 'the file as it was',
      deadlineMs: 60_000,
      everyMs: 100,
    })
    await expectWholeAt([originOf(name)])
  }, 90_000)

  test('reaches no reader: it is found by the first who asks, and repaired', async () => {
    // With it goes what it has in memory; it scrubs when it begins, and then no more.
    const before = Date.now()
    await network.processes.restart(unscrubbed)
    type Status = { lastScrub: { finishedAt: number | null } | null }
    await network.eventually((signal) => readJson<Status>(`${originOf(unscrubbed)}/status`, signal), {
      describe: 'the first scrub after the start',
      deadlineMs: 30_000,
      until: ({ lastScrub }) => (lastScrub?.finishedAt ?? 0) > before,
    })
    const { cid, file } = await turnOneBitOver(unscrubbed, -2)
    const right = await blockAt(cid)
    const response = await fetch(`${originOf(unscrubbed)}/ipfs/${cid}?format=raw`)
    expect(response.status).toBe(404)
    await network.eventually(async () => (await readFile(file)).equals(right), {
      describe: 'the file as it was',
      deadlineMs: 60_000,
      everyMs: 100,
    })
    await expectWholeAt([originOf(unscrubbed)])
  }, 90_000)

  async function blockAt(cid: string): Promise<Buffer> {
    const response = await fetch(`${originOf('content-service-3')}/ipfs/${cid}?format=raw`)
    return Buffer.from(await response.arrayBuffer())
  }
})

/** Publishes until the ranks of a track leave an operator without a copy; most tracks are for three of four. */
async function releasePassingOver(name: string): Promise<Track> {
  for (let n = 1; n <= 40; n++) {
    const file = await makeRecording(network.folder, { name: `passing-${n}`, seconds: 6, format: 'm4a' })
    const { track } = await artist.release(file, { title: `Passing ${n}` })
    const holders = await holdersIn(network, artist, track)
    if (holders.length === 3 && !holders.includes(name)) return track
  }
  throw new Error(`${name} holds everything`)
}

test('a content service that is lost for good gives way to a fourth, which had no copy: three have the track again', async () => {
  const fourth = await network.addContentService()
  track = await releasePassingOver(fourth.name)
  const lost = services[0] ?? ''
  await network.processes.kill(lost)
  const left = [...services.slice(1).map(originOf), fourth.endpoint]
  await expectWholeAt(left, 120_000)
  await network.eventually((signal) => readJson<{ missing: number }>(`${fourth.endpoint}/status`, signal), {
    describe: 'nothing missing at the fourth',
    deadlineMs: 30_000,
    until: ({ missing }) => missing === 0,
  })
  const heard = await listen(
    artist.connection,
    {
      ...track,
      holders: track.holders.slice(0, 1).map((holder) => ({ ...holder, endpoint: fourth.endpoint })),
    },
    network,
  )
  expect(heard.segments).toBe(heard.of)
  expect(new Set(heard.sources)).toEqual(new Set([fourth.endpoint]))
  await network.processes.restart(lost)
  await commonStateHash(network)
}, 180_000)
