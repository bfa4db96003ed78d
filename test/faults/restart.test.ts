import { userSubject } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import { findTrack } from '@hexachord/sdk/finding'
import { writeAction } from '@hexachord/sdk/writing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Artist, connectTo, newArtist } from '../network/artist.ts'
import { verdictOf } from '../network/direct-to-chain.ts'
import { makeRecording } from '../network/recordings.ts'
import { commonStateHash, type FaultNetwork, readJson, startFaultNetwork } from './fault-network.ts'
import { listen } from './listening.ts'

const engines = ['chain', 'postgres', 'redis']
let network: FaultNetwork
let artist: Artist
let track: Track

beforeAll(async () => {
  network = await startFaultNetwork()
  artist = await newArtist(network)
  const file = await makeRecording(network.folder, { name: 'lasting', seconds: 12 })
  ;({ track } = await artist.release(file))
}, 120_000)
afterAll(() => network?.close())

const services = () => network.processes.names().filter((name) => !engines.includes(name))

type Duty = { duty: number; held: number; missing: number }

async function expectAsBefore(): Promise<void> {
  const connection = await connectTo(network)
  // Whether it is encrypted is known once its manifest was read.
  const { premium: _, ...known } = track
  expect(await findTrack(connection, track.id)).toMatchObject(known)
  const heard = await listen(connection, track, network)
  expect(heard.segments).toBe(heard.of)
  expect(heard.faults).toEqual([])
  for (const origin of network.urls.content) {
    await network.eventually((signal) => readJson<Duty>(`${origin}/status`, signal), {
      describe: `the track as the duty of ${origin}, and held`,
      deadlineMs: 20_000,
      until: ({ duty, held, missing }) => duty === 1 && held === 1 && missing === 0,
    })
  }
}

test('all services killed at once and started again have the same state, and the track plays', async () => {
  const before = await commonStateHash(network)
  await Promise.all(services().map((name) => network.processes.kill(name)))
  await Promise.all(services().map((name) => network.processes.restart(name)))
  expect(await commonStateHash(network)).toBe(before)
  await expectAsBefore()
}, 90_000)

test('what was acknowledged just before everything lost power is applied after it', async () => {
  // Blocks that the chain has not saved yet are lost with it: let it save the track first.
  await network.chain.mine(3)
  await commonStateHash(network)
  await network.processes.restart('chain')
  const subject = userSubject(artist.account.address)
  const content = { prev: null, name: 'Said before the lights went out' }
  const hash = await writeAction(artist.connection, artist.account, { kind: 'user', subject, content })
  const all = network.processes.names()
  await Promise.all(all.map((name) => network.processes.kill(name)))
  await Promise.all(engines.map((name) => network.processes.restart(name)))
  await Promise.all(services().map((name) => network.processes.restart(name)))
  expect(await verdictOf(network.urls.discovery, hash)).toMatchObject({ status: 'applied', subject })
  await commonStateHash(network)
  await expectAsBefore()
}, 120_000)
