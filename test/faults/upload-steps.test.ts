import { writeFile } from 'node:fs/promises'
import { userSubject } from '@hexachord/protocol/names'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { relay, signed, verdictOf } from '../network/direct-to-chain.ts'
import { makeRecording } from '../network/recordings.ts'
import { type FaultNetwork, readJson, startFaultNetwork } from './fault-network.ts'
import { type HeldPrograms, makeHeldPrograms } from './held-programs.ts'
import { listen } from './listening.ts'

const creator = 'creator-node'
const services = ['content-service-1', 'content-service-2']
const seconds = 14
let folder: TemporaryFolder
let programs: HeldPrograms
let network: FaultNetwork
let artist: Artist
let takes = 0

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  programs = await makeHeldPrograms(folder.path)
  network = await startFaultNetwork({
    contentServices: services.length,
    adjustService: (plan) =>
      plan.name === creator ? { ...plan, variables: { ...plan.variables, ...programs.variables } } : plan,
  })
  artist = await newArtist(network)
}, 120_000)
afterAll(async () => {
  await network?.close()
  await folder?.remove()
})
afterEach(() => programs.release())

/** The state of the newest upload, as the node tells it. */
type Progress = Parameters<NonNullable<NonNullable<Parameters<Artist['upload']>[1]>['onProgress']>>[0]

/** Begins an upload of something new, and tells of it as it goes on. */
async function begin(): Promise<{ upload: Promise<UploadAnswer>; state(): string | undefined }> {
  takes += 1
  const file = await makeRecording(network.folder, { name: `take ${takes}`, seconds, format: 'flac' })
  let state: string | undefined
  const upload = artist.upload(file, {
    onProgress(progress: Progress) {
      if ('upload' in progress) state = progress.upload.state
    },
  })
  // It is awaited at the end of the test; if the test fails before, this is not what it fails with.
  upload.catch(() => undefined)
  return { upload, state: () => state }
}

const reached = (what: string, isReached: () => boolean) =>
  network.eventually(isReached, { describe: what, deadlineMs: 30_000, everyMs: 20 })

async function expectPublishable(upload: UploadAnswer): Promise<void> {
  expect(upload).toMatchObject({ state: 'ready' })
  expect(upload.renditions.map(({ state }) => state)).toEqual(upload.renditions.map(() => 'done'))
  const track = await artist.publish(upload)
  expect(track.holders).toHaveLength(services.length)
  const heard = await listen(artist.connection, track, network)
  expect(heard.faults).toEqual([])
  expect(Math.abs(heard.ms - seconds * 1000)).toBeLessThan(250)
}

describe('an upload whose creator node is killed', () => {
  test('while it is queued is made when the node is back', async () => {
    await network.processes.kill('redis')
    const { upload, state } = await begin()
    await reached('the upload in the queue', () => state() === 'queued')
    await network.processes.kill(creator)
    await network.processes.restart('redis')
    await network.processes.restart(creator)
    await expectPublishable(await upload)
  }, 90_000)

  test.each([
    ['is probed', '/sources/'],
    ['is cut into segments', 'hls_time'],
    ['is measured', 'ebur128'],
  ])(
    'while it %s is made when the node is back',
    async (_, word) => {
      await programs.hold(word)
      const { upload } = await begin()
      await reached(`the run with ${word}`, programs.isReached)
      await network.processes.kill(creator)
      await programs.release()
      await network.processes.restart(creator)
      await expectPublishable(await upload)
    },
    90_000,
  )

  test('while it waits for operators gets its receipts when all are back', async () => {
    await Promise.all(services.map((name) => network.processes.kill(name)))
    const { upload, state } = await begin()
    await reached('the upload that waits for operators', () => state() === 'replicating')
    await network.processes.kill(creator)
    await Promise.all([creator, ...services].map((name) => network.processes.restart(name)))
    await expectPublishable(await upload)
  }, 120_000)

  test('when it is ready is ready still, with the same manifest and receipts', async () => {
    const ready = await (await begin()).upload
    await network.processes.kill(creator)
    await network.processes.restart(creator)
    const url = `${network.urls.creator}/uploads/${ready.id}`
    const { manifest } = ready.track ?? {}
    expect(await readJson<UploadAnswer>(url)).toMatchObject({ track: { manifest }, receipts: ready.receipts })
    await expectPublishable(ready)
  }, 60_000)

  test('of which the source cannot be read says so, also when the node dies over it', async () => {
    await programs.hold('/sources/')
    const upload = artist.upload(await notMusic())
    const failed = expect(upload).rejects.toMatchObject({ name: 'UploadFailed', upload: { state: 'failed' } })
    await reached('the probe', programs.isReached)
    await network.processes.kill(creator)
    await programs.release()
    await network.processes.restart(creator)
    await failed
  }, 60_000)
})

async function notMusic(): Promise<string> {
  const file = `${network.folder}/words.mp3`
  await writeFile(file, 'these are words, and no music at all\n'.repeat(200))
  return file
}

test('an action that was accepted outlives its relay, whenever that is killed', async () => {
  const subject = userSubject(artist.account.address)
  let prev: string | null = null
  for (const name of ['One', 'Two', 'Three']) {
    const action = await signed(artist, { kind: 'user', subject, content: { prev, name } })
    expect((await relay(network.urls.creator, action, artist)).status).toBeLessThan(300)
    await network.processes.kill(creator)
    await network.processes.restart(creator)
    expect(await verdictOf(network.urls.discovery, action.hash)).toMatchObject({ status: 'applied' })
    prev = action.hash
  }
}, 90_000)
