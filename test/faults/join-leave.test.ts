import { fileURLToPath } from 'node:url'
import type { Track } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { wholeTrackOf } from '../network/node-blocks.ts'
import { makeRecording } from '../network/recordings.ts'
import { holdersIn } from './copies.ts'
import { type FaultNetwork, readJson, startFaultNetwork } from './fault-network.ts'

type Replication = { copies: number; wanted: number; reason: string | null }

const entry = fileURLToPath(new URL('rebalancing-content-service.ts', import.meta.url))
const trackCount = 4

let network: FaultNetwork
let artist: Artist
const tracks: Track[] = []

beforeAll(async () => {
  network = await startFaultNetwork({
    contentServices: 1,
    adjustService: (plan) => (plan.name.startsWith('content-service-') ? { ...plan, entry } : plan),
  })
  artist = await newArtist(network)
}, 60_000)
afterAll(() => network?.close())

const release = async (name: string): Promise<Track> => {
  const file = await makeRecording(network.folder, { name, seconds: 6, format: 'm4a' })
  return (await artist.release(file, { title: name })).track
}

const holdersOf = (track: Track) => holdersIn(network, artist, track)

/** Waits until copies are where they shall be. @returns the fewest that any track had meanwhile */
async function fewestUntil(describe: string, there: (holders: string[][]) => boolean): Promise<number> {
  let fewest = Number.POSITIVE_INFINITY
  await network.eventually(() => Promise.all(tracks.map(holdersOf)), {
    // A pull that fails on a busy machine is tried again after a while.
    ...{ describe, deadlineMs: 150_000, everyMs: 250 },
    until(all) {
      fewest = Math.min(fewest, ...all.map(({ length }) => length))
      return there(all)
    },
  })
  return fewest
}

const threeOfEach = (all: readonly string[][]) => all.every(({ length }) => length === 3)

/** What a service says of how many copies tracks have, in both places. */
async function replicationAt(origin: string, { manifest }: Track): Promise<Replication[]> {
  return Promise.all(
    ['/status', `/manifests/${manifest}/receipts`].map(
      async (path) => (await readJson<{ replication: Replication }>(origin + path)).replication,
    ),
  )
}

test('with one operator, and with two, tracks can be published, and everybody can see that copies are missing', async () => {
  const [origin = ''] = network.urls.content
  for (const [copies, reason] of [
    [1, 'only one operator has'],
    [2, 'only 2 operators under different control have'],
  ] as const) {
    const track = await release(`of-${copies}`)
    tracks.push(track)
    await network.eventually(() => replicationAt(origin, track), {
      describe: `${copies} of 3 copies at ${origin}`,
      deadlineMs: 20_000,
      until: (said) => said.every((each) => each.copies === copies && each.reason?.startsWith(reason)),
    })
    await network.eventually(() => holdersOf(track), {
      describe: `${copies} holders`,
      deadlineMs: 20_000,
      until: ({ length }) => length === copies,
    })
    await network.addContentService()
  }
}, 90_000)

test('those who join bring what their ranks give them, and nobody lets go before three others have it', async () => {
  expect(await fewestUntil('three copies of what had fewer', threeOfEach)).toBeGreaterThan(0)
  const [origin = ''] = network.urls.content
  const [track] = tracks
  if (track === undefined) throw new Error('there is no track')
  await network.eventually(() => replicationAt(origin, track), {
    describe: `three of three copies at ${origin}, and no reason`,
    deadlineMs: 20_000,
    until: (said) =>
      said.every(({ copies, wanted, reason }) => copies === 3 && wanted === 3 && reason === null),
  })
  while (tracks.length < trackCount) tracks.push(await release(`of-3-${tracks.length}`))

  const joined = [await network.addContentService(), await network.addContentService()].map(
    ({ name }) => name,
  )
  const fewest = await fewestUntil(
    'copies at those who joined, and three of each track',
    (all) => threeOfEach(all) && all.flat().some((name) => joined.includes(name)),
  )
  expect(fewest).toBe(3)
}, 240_000)

test('one that leaves serves what it holds until others have proved that they do', async () => {
  const all = (await Promise.all(tracks.map(holdersOf))).flat()
  const count = (name: string) => all.filter((each) => each === name).length
  const [leaving = ''] = [...new Set(all)].sort((a, b) => count(b) - count(a))
  await network.retireContentService(leaving)
  const fewest = await fewestUntil(
    'three copies of each track without the one that leaves',
    (all) => threeOfEach(all) && !all.flat().includes(leaving),
  )
  expect(fewest).toBe(3)
  const [track] = tracks
  if (track === undefined) throw new Error('there is no track')
  for (const name of await holdersOf(track)) {
    const { endpoint = '' } = network.operators.find((operator) => operator.name === name) ?? {}
    await wholeTrackOf(endpoint, track.manifest)
  }
}, 180_000)
