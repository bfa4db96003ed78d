import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { CarriedTrack } from '@hexachord/protocol/cars'
import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import { makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { importTrack, inspectCar, openExport } from '@hexachord/sdk/carrying'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { wholeTrackOf } from '../network/node-blocks.ts'
import { makeRecording } from '../network/recordings.ts'
import { type FaultNetwork, startFaultNetwork } from './fault-network.ts'
import { type HeldPrograms, makeHeldPrograms } from './held-programs.ts'
import { listen } from './listening.ts'

/** The node that imports, and knows no block of what it is sent; the other one has made the tracks. */
const importing = 'creator-node-2'
let folder: TemporaryFolder
let programs: HeldPrograms
let network: FaultNetwork
let author: Artist
/** Publishes by the importing node. */
let traveller: Artist

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  programs = await makeHeldPrograms(folder.path)
  network = await startFaultNetwork({
    contentServices: 2,
    adjustService: (plan) =>
      plan.name === importing ? { ...plan, variables: { ...plan.variables, ...programs.variables } } : plan,
  })
  author = await newArtist(network)
  const { endpoint } = await network.addCreatorNode()
  traveller = await newArtist({ ...network, urls: { ...network.urls, creator: endpoint } })
}, 120_000)
afterAll(async () => {
  await network?.close()
  await folder?.remove()
})
afterEach(() => programs.release())

type Carried = { readonly track: Track; readonly content: Blob; readonly found: CarriedTrack }

/** Publishes something new, the original with it, and carries it away. */
async function carryAway(name: string, seconds: number): Promise<Carried> {
  const file = await makeRecording(network.folder, { name, seconds, format: 'wav' })
  const track = await author.publish(await author.upload(file, { keepOriginal: true }))
  const exported = await openExport(author.connection, track)
  const parts: Uint8Array[] = [exported.header]
  for await (const pieces of exported.sections()) parts.push(...pieces)
  const content = new Blob(parts as Uint8Array<ArrayBuffer>[])
  return { track, content, found: await inspectCar(content) }
}

/** Begins to import it, and tells of each step. */
function bring({ track, content, found }: Carried, onProgress?: (sentBytes: number) => void) {
  const { connection, account } = traveller
  const source = { filename: `${track.id}.car`, content, fingerprint: track.id }
  const upload = importTrack(connection, account, source, found, {
    onProgress(progress) {
      if (progress.step === 'sending') onProgress?.(progress.sentBytes)
    },
  })
  // It is awaited at the end of the test; if the test fails before, this is not what it fails with.
  upload.catch(() => undefined)
  return upload
}

const reached = (what: string, isReached: () => boolean) =>
  network.eventually(isReached, { describe: what, deadlineMs: 30_000, everyMs: 20 })

/** Bytes of files that the importing node has received, or is receiving. */
async function receivedBytes(): Promise<number> {
  const sources = path.join(network.directory, 'data', importing, 'sources')
  const sizes = await Promise.all(
    (await readdir(sources)).map(async (name) => (await stat(path.join(sources, name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function expectSameTrack(upload: UploadAnswer, { track }: Carried): Promise<void> {
  const { manifest, storageRoot, leafCount, byteLength, durationMs } = track
  expect(upload).toMatchObject({
    state: 'ready',
    track: { manifest, storageRoot, leafCount, byteLength, durationMs },
  })
  const { storage } = await wholeTrackOf(traveller.connection.creators[0] ?? '', manifest)
  expect(storage).toEqual({ root: storageRoot, leafCount, byteLength })
  const arrived = await traveller.publish(upload)
  expect(arrived.id).not.toBe(track.id)
  expect(arrived).toMatchObject({ manifest, storageRoot })
  expect(arrived.holders).toHaveLength(2)
  const heard = await listen(traveller.connection, arrived, network)
  expect(heard.faults).toEqual([])
  expect(Math.abs(heard.ms - durationMs)).toBeLessThan(250)
}

describe('an import whose creator node is killed', () => {
  test('while the file is received goes on where it was, and comes out as the same blocks', async () => {
    // Three requests of our client: the node is killed in the second one, or before the third.
    const carried = await carryAway('received', 45)
    let killed: Promise<void> | undefined
    const upload = bring(carried, (sentBytes) => {
      if (sentBytes > carried.content.size * 0.4) killed ??= network.processes.kill(importing)
    })
    await reached('the node killed while there is more to come', () => killed !== undefined)
    await killed
    const kept = await receivedBytes()
    expect(kept).toBeGreaterThan(0)
    expect(kept).toBeLessThan(carried.content.size)
    await network.processes.restart(importing)
    await expectSameTrack(await upload, carried)
  }, 180_000)

  test('while what it has received is checked is checked again, and comes out as the same blocks', async () => {
    const carried = await carryAway('checked', 15)
    await programs.hold('imported.mp4')
    const upload = bring(carried)
    await reached('the check of the imported sound', programs.isReached)
    await network.processes.kill(importing)
    await programs.release()
    await network.processes.restart(importing)
    await expectSameTrack(await upload, carried)
  }, 180_000)
})
