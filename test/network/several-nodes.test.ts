import type { Playlist, Track } from '@hexachord/protocol/rest'
import {
  type BreakableNetwork,
  eventually,
  makeTemporaryFolder,
  mined,
  startTestNetwork,
  type TemporaryFolder,
} from '@hexachord/scripts/testing'
import { type Connection, connect } from '@hexachord/sdk/connect'
import { findTrack } from '@hexachord/sdk/finding'
import { createKey } from '@hexachord/sdk/keys'
import { publishTrack, type TrackDetails } from '@hexachord/sdk/publishing'
import { uploadAlbum } from '@hexachord/sdk/releasing'
import { type Progress, type SavedUpload, type UploadMemory, uploadTrack } from '@hexachord/sdk/uploading'
import { NotRelayed, rpcPayer } from '@hexachord/sdk/writing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { JsonRpcProvider, parseEther } from 'ethers'
import { sourceOf } from './artist.ts'
import { makeRecording } from './recordings.ts'

const details: TrackDetails = { title: 'Two nodes', artist: 'Test', licence: 'CC0-1.0', rightsHeld: true }

const services = ['content-service-1', 'content-service-2']
let network: BreakableNetwork
let folder: TemporaryFolder
let connection: Connection
/** Origins: the first relays, the second has no budget for it. */
let first: string
let second: string

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  network = await startTestNetwork({
    signal: AbortSignal.timeout(300_000),
    contentServices: services.length,
    adjustService: (plan) =>
      plan.name === 'creator-node-2'
        ? { ...plan, variables: { ...plan.variables, DAILY_ACTIONS: 0, DAILY_ACTIONS_PER_KEY: 0 } }
        : plan,
  })
  first = network.urls.creator
  second = (await network.addCreatorNode()).endpoint
  const discovery = [network.urls.discovery]
  connection = await eventually(() => connect({ discovery, creators: 'find' }), {
    describe: 'a connection that knows both creator nodes',
    until: ({ creators }) => creators.length === 2,
    deadlineMs: 40_000,
    logDirectory: network.logDirectory,
  })
}, 120_000)
afterAll(async () => {
  await network?.remove()
  await folder?.remove()
})

function memoryOf(saved: Map<string, SavedUpload>): UploadMemory {
  return {
    load: async (key) => saved.get(key),
    save: async (key, upload) => void saved.set(key, upload),
    forget: async (key) => void saved.delete(key),
  }
}

async function stateAt(url: string): Promise<string> {
  const response = await fetch(url)
  return ((await response.json()) as { state: string }).state
}

describe('two creator nodes', () => {
  test('stand on the chain, for whoever names none', () => {
    expect(new Set(connection.creators)).toEqual(new Set([first, second]))
  })

  test('one takes over when the other dies half-way: one track, published once', async () => {
    const song = await makeRecording(folder.path, { name: 'long', seconds: 45, format: 'wav' })
    const account = createKey()
    // Without operators the upload cannot end before the dead node is back.
    await Promise.all(services.map((name) => network.processes.stop(name)))
    const saved = new Map<string, SavedUpload>()
    const steps: Progress[] = []
    let killed: Promise<void> | undefined
    const upload = uploadTrack({ ...connection, creators: [first, second] }, account, await sourceOf(song), {
      memory: memoryOf(saved),
      patienceMs: 2_000,
      onProgress(progress) {
        steps.push(progress)
        if (progress.step !== 'sending' || progress.sentBytes < progress.totalBytes / 2) return
        // Whichever node was chosen.
        const name = progress.node === first ? 'creator-node' : 'creator-node-2'
        killed ??= network.processes.kill(name)
      },
    })
    const moved = await eventually(() => steps.find(({ step }) => step === 'moving'), {
      describe: 'the other node taking over',
      deadlineMs: 40_000,
      logDirectory: network.logDirectory,
    })
    await killed
    const survivor = moved?.step === 'moving' ? moved.node : ''
    const dead = survivor === first ? 'creator-node-2' : 'creator-node'
    const left = await eventually(() => [...saved.values()].find(({ left }) => left), {
      describe: 'the half that was left behind',
      deadlineMs: 40_000,
      logDirectory: network.logDirectory,
    })
    const begun = steps.find(({ step }) => step === 'sending')
    expect(begun).not.toMatchObject({ node: survivor })
    await network.processes.restart(dead)
    await eventually(() => stateAt(left?.url ?? ''), {
      describe: 'the half that was left behind being given up',
      until: (state) => state === 'cancelled',
      deadlineMs: 40_000,
      logDirectory: network.logDirectory,
    })
    await Promise.all(services.map((name) => network.processes.restart(name)))
    const answer = await upload
    expect(answer).toMatchObject({ state: 'ready', subject: left?.subject })

    const track = await publishTrack(connection, account, answer, details)
    expect(track.id).toBe(left?.subject)
    expect(track.holders).toHaveLength(2)
    // Nothing followed on the one action.
    const again = await publishTrack(connection, account, answer, details)
    expect(again.last).toEqual(track.last)
  }, 120_000)

  test('make an album together: several files at a time, listed by their numbers', async () => {
    const account = createKey()
    const files = await Promise.all(
      [3, 1, 2].map(async (number) => {
        const title = `Part ${number}`
        const name = `part-${number}`
        const tags = { title, artist: 'Test', track: String(number) }
        const file = await makeRecording(folder.path, { name, seconds: 7, tags })
        return { source: await sourceOf(file), details: () => ({ ...details, title }) }
      }),
    )
    const saved = new Map<string, SavedUpload>()
    const memory = memoryOf(saved)
    const make = () => uploadAlbum(connection, account, files, { title: 'Parts' }, { memory })
    const { album, files: made } = await make()
    expect(made.map(({ state }) => state)).toEqual(['published', 'published', 'published'])
    expect(album?.tracks.map(({ title }) => title)).toEqual(['Part 1', 'Part 2', 'Part 3'])
    expect(album).toMatchObject({
      title: 'Parts',
      album: true,
      author: account.address,
    } satisfies Partial<Playlist>)
    // And again: nothing is sent, made or published.
    const { album: same, files: before } = await make()
    expect(same?.last).toEqual(album?.last)
    expect(before).toMatchObject(Array(3).fill({ state: 'published', before: true }))
  }, 120_000)

  test('the budget of one is no limit: another one relays', async () => {
    const account = createKey()
    const file = await makeRecording(folder.path, { name: 'relayed', seconds: 7 })
    const pinned = { ...connection, creators: [second] }
    const upload = await uploadTrack(pinned, account, await sourceOf(file))
    const track = await publishTrack(pinned, account, upload, details)
    await expect(findTrack(connection, upload.subject)).resolves.toMatchObject({ last: track.last })
  }, 60_000)

  test('where no node pays, the artist can, and nothing is signed twice; the wait lasts until it is final', async () => {
    const account = createKey()
    const file = await makeRecording(folder.path, { name: 'paid', seconds: 7 })
    // As if the one without a budget were the only one.
    const pinned: Connection = {
      ...connection,
      creators: [second],
      discover: (path, schema, init) =>
        connection.discover(path.startsWith('/v1/operators') ? '/v1/nothing' : path, schema, init),
    }
    const upload = await uploadTrack(pinned, account, await sourceOf(file))
    const signed: string[] = []
    const options = {
      onSigned: async ({ signature }: { signature: string }) => void signed.push(signature),
    }
    const refused = publishTrack(pinned, account, upload, details, options)
    const failure: unknown = await refused.catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(NotRelayed)
    if (!(failure instanceof NotRelayed)) return
    expect(failure.signed.subject).toBe(upload.subject)

    await giveEther(account.address)
    const statuses: string[] = []
    const published: Promise<Track> = publishTrack(pinned, account, upload, details, {
      ...options,
      signed: failure.signed,
      payer: rpcPayer(account, network.urls.chain),
      until: 'final',
      onProgress: ({ status }) => statuses.push(status),
    })
    const applied = eventually(() => statuses.includes('applied') || undefined, {
      describe: 'the paid action being applied',
      deadlineMs: 40_000,
      logDirectory: network.logDirectory,
    })
    await Promise.race([applied, published])
    await network.chain.mine(80)
    const track = await published
    expect(track.id).toBe(upload.subject)
    expect(signed).toHaveLength(1)
    // Between them stands what the client happened to see: that it was mined, or applied already.
    expect([statuses[0], statuses.at(-1)]).toEqual(['sent', 'final'])
    expect(['mined', 'applied']).toEqual(expect.arrayContaining(statuses.slice(1, -1)))
  }, 120_000)
})

async function giveEther(to: string): Promise<void> {
  const provider = new JsonRpcProvider(network.urls.chain, undefined, { cacheTimeout: -1 })
  try {
    const rich = await provider.getSigner(4)
    const sent = await rich.sendTransaction({ to, value: parseEther('1') })
    await mined(sent)
  } finally {
    provider.destroy()
  }
}
