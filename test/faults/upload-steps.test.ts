import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Manifest } from '@hexachord/protocol/manifests'
import { userSubject } from '@hexachord/protocol/names'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { relay, signed, verdictOf } from '../network/direct-to-chain.ts'
import { makeRecording, runProgram } from '../network/recordings.ts'
import { type FaultNetwork, readJson, startFaultNetwork } from './fault-network.ts'
import { type HeldPrograms, makeHeldPrograms } from './held-programs.ts'
import { listen } from './listening.ts'
import { stallBlock } from './stalled-block.ts'

const creator = 'creator-node'
const services = ['content-service-1', 'content-service-2']
const seconds = 14
let folder: TemporaryFolder
let programs: HeldPrograms
let network: FaultNetwork
let artist: Artist
let takes = 0
let creatorData = ''

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  programs = await makeHeldPrograms(folder.path)
  network = await startFaultNetwork({
    contentServices: services.length,
    adjustService: (plan) => {
      if (plan.name !== creator) return plan
      creatorData = String(plan.variables.DATA_DIR)
      return { ...plan, variables: { ...plan.variables, ...programs.variables } }
    },
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
async function begin(
  options: { cover?: boolean } = {},
): Promise<{ upload: Promise<UploadAnswer>; now(): UploadAnswer | undefined }> {
  takes += 1
  const name = `take ${takes}`
  const tags: Record<string, string> = options.cover === true ? { title: 'With a picture' } : {}
  const recording = await makeRecording(network.folder, { name, seconds, format: 'flac', tags })
  const file = options.cover === true ? await withLargeCover(recording) : recording
  let answer: UploadAnswer | undefined
  const upload = artist.upload(file, {
    onProgress(progress: Progress) {
      if ('upload' in progress) answer = progress.upload
    },
  })
  // It is awaited at the end of the test; if the test fails before, this is not what it fails with.
  upload.catch(() => undefined)
  return { upload, now: () => answer }
}

/** The recording with a picture as large as they may be. */
async function withLargeCover(recording: string): Promise<string> {
  const file = recording.replace('.flac', ' with cover.flac')
  const picture = ['-f', 'lavfi', '-i', 'color=teal:s=7000x7000:d=1', '-frames:v', '1', '-c:v', 'png']
  const kept = ['-map', '0', '-map', '1', '-c:a', 'copy', '-disposition:v', 'attached_pic']
  await runProgram('ffmpeg', ['-v', 'error', '-i', recording, ...picture, ...kept, file])
  return file
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
    const { upload, now } = await begin()
    await reached('the upload in the queue', () => now()?.state === 'queued')
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

  test('while its segments are stored is made when the node is back', async () => {
    await programs.slow('hls_time')
    const { upload, now } = await begin()
    await reached('a rendition of which a segment is stored', () =>
      (now()?.renditions ?? []).some(({ state, segments }) => state === 'running' && segments > 0),
    )
    await network.processes.kill(creator)
    await programs.release()
    await network.processes.restart(creator)
    await expectPublishable(await upload)
  }, 90_000)

  test('while its tags and cover are read has both when the node is back', async () => {
    await programs.hold('ebur128')
    await programs.slow('hls_time')
    const { upload, now } = await begin({ cover: true })
    // The file is hashed while its tags are read and its picture is made small, which takes longer.
    await reached('the hash of the file', () => now()?.source !== undefined)
    await network.processes.kill(creator)
    await programs.release()
    await network.processes.restart(creator)
    const ready = await upload
    expect(ready.tags).toEqual({ title: 'With a picture' })
    const url = `${network.urls.creator}/ipfs/${ready.track?.manifest}?format=raw`
    expect(await readJson<Manifest>(url)).toMatchObject({ cover: [{ width: 150 }, {}, { width: 1000 }] })
    await expectPublishable(ready)
  }, 90_000)

  test('while its manifest is pinned is made when the node is back', async () => {
    await programs.hold('ebur128')
    const { upload, now } = await begin()
    await reached('all but what is measured, with two copies', () => {
      const { tags, renditions = [], replicas = [], blocks, playable } = now() ?? {}
      const isMade = renditions.length > 0 && renditions.every(({ state }) => state === 'done')
      const areCopied = replicas.length === services.length && replicas.every((one) => one.blocks === blocks)
      return isMade && areCopied && tags !== undefined && playable !== null
    })
    const url = `${network.urls.creator}/ipfs/${now()?.playable}?format=raw`
    const [rendition] = (await readJson<{ renditions: { '/': string }[] }>(url)).renditions
    const block = await stallBlock(path.join(creatorData, 'blocks'), rendition?.['/'] ?? '')
    await programs.release()
    await reached('the step that reads what the manifest names', block.isAsked)
    await network.processes.kill(creator)
    block.restore()
    await network.processes.restart(creator)
    await expectPublishable(await upload)
  }, 90_000)

  test('while it waits for operators gets its receipts when all are back', async () => {
    await Promise.all(services.map((name) => network.processes.kill(name)))
    const { upload, now } = await begin()
    await reached('the upload that waits for operators', () => now()?.state === 'replicating')
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
