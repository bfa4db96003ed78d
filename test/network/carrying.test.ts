import { spawn } from 'node:child_process'
import { openAsBlob } from 'node:fs'
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { carHeader, carSection, openCar } from '@hexachord/protocol/cars'
import { cidFromDigest, cidOf, linkTo } from '@hexachord/protocol/cids'
import {
  decodeManifest,
  decodeRendition,
  encodeManifest,
  encodeRendition,
  type Manifest,
  type Rendition,
} from '@hexachord/protocol/manifests'
import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import {
  type BreakableNetwork,
  eventually,
  makeTemporaryFolder,
  startTestNetwork,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { carType, importTrack, inspectCar, openExport } from '@hexachord/sdk/carrying'
import { findTrack } from '@hexachord/sdk/finding'
import { UploadFailed, uploadTrack } from '@hexachord/sdk/uploading'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { wholeTrackOf } from './node-blocks.ts'
import { makeRecording } from './recordings.ts'

jest.setTimeout(120_000)

const network = testNetwork()
const program = fileURLToPath(import.meta.resolve('@hexachord/cli/package.json')).replace(
  'package.json',
  'main.ts',
)

let folder: TemporaryFolder
let artist: Artist
let track: Track
let file: string

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  await mkdir(path.join(folder.path, 'home'))
  await writeFile(path.join(folder.path, 'password'), 'a long enough password\n')
  artist = await newArtist(network)
  const song = await makeRecording(folder.path, { name: 'carried', seconds: 14 })
  const details = { title: 'Carried away', artist: 'Wanderer', genre: 'walking', tags: ['road'] }
  ;({ track } = await artist.release(song, details))
  file = path.join(folder.path, 'carried.car')
})
afterAll(() => folder?.remove())

/** The command as a user's shell runs it, against one network. */
async function hexachord(urls: { discovery: string; creator: string }, ...args: string[]) {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, ...args, '--json'],
    {
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        HEXACHORD_HOME: path.join(folder.path, 'home'),
        HEXACHORD_DISCOVERY: urls.discovery,
        HEXACHORD_CREATORS: urls.creator,
        HEXACHORD_PASSWORD_FILE: path.join(folder.path, 'password'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  return { code, out, err }
}

describe('a track', () => {
  test('is carried away as one file, every block checked', async () => {
    const { code, out, err } = await hexachord(network.urls, 'export', track.id, '-o', file)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const { bytes, blocks } = JSON.parse(out)
    expect((await stat(file)).size).toBe(bytes)
    const found = await inspectCar(await openAsBlob(file))
    expect(found.track.cid).toBe(track.manifest)
    expect(found.storage).toEqual({
      root: track.storageRoot,
      leafCount: track.leafCount,
      byteLength: track.byteLength,
    })
    expect(found.carried?.details).toMatchObject({
      title: 'Carried away',
      artist: 'Wanderer',
      tags: ['road'],
    })
    expect(found.carried?.origin).toMatchObject({ subject: track.id, action: track.last.digest })
    expect(blocks).toBe(track.leafCount === 0 ? 0 : (await sections()).length)
    expect((await readdir(folder.path)).filter((name) => name.endsWith('.part'))).toEqual([])
  })

  test('that was half carried is gone on with, and comes out as the same file', async () => {
    const again = path.join(folder.path, 'again.car')
    const part = `${again}.part`
    await writeFile(part, await readFile(file))
    await truncate(part, Math.floor((await stat(file)).size * 0.6))
    expect((await hexachord(network.urls, 'export', track.id, '-o', again)).code).toBe(0)
    expect((await readFile(again)).equals(await readFile(file))).toBe(true)
    // What is there is nobody's to write over.
    expect((await hexachord(network.urls, 'export', track.id, '-o', again)).code).toBe(2)
  })

  test('is the same file whoever carries it, and holds nothing twice', async () => {
    const exported = await openExport(artist.connection, await findTrack(artist.connection, track.id))
    const parts: Uint8Array[] = [exported.header]
    for await (const pieces of exported.sections()) parts.push(...pieces)
    expect(Buffer.concat(parts).equals(await readFile(file))).toBe(true)
    expect(exported.byteLength).toBe((await stat(file)).size)
  })
})

test('a file that is no whole track is refused before anything is sent', async () => {
  const song = await makeRecording(folder.path, { name: 'song', seconds: 1 })
  const half = path.join(folder.path, 'half.car')
  await writeFile(half, (await readFile(file)).subarray(0, 100_000))
  for (const wrong of [song, half]) {
    const { code, err } = await hexachord(network.urls, 'import', wrong, '--i-hold-the-rights')
    expect({ code, error: JSON.parse(err).error }).toEqual({ code: 2, error: expect.any(String) })
  }
})

describe('another network', () => {
  let other: BreakableNetwork
  beforeAll(async () => {
    other = await startTestNetwork({ signal: AbortSignal.timeout(110_000) })
  })
  afterAll(() => other?.remove())

  test('takes the track in: the same blocks and names, by another artist, and it plays', async () => {
    expect((await hexachord(other.urls, 'key', 'new')).code).toBe(0)
    const { code, out, err } = await hexachord(
      other.urls,
      'import',
      file,
      '--i-hold-the-rights',
      '--title',
      'Arrived',
    )
    if (code !== 0) throw new Error(err)
    const { track: id, manifest, replicas } = JSON.parse(out)
    expect(manifest).toBe(track.manifest)
    expect(replicas).toHaveLength(3)
    expect(id).not.toBe(track.id)
    const { connection } = await newArtist(other)
    const arrived = await findTrack(connection, id)
    const { storageRoot, leafCount, byteLength, durationMs, genre } = track
    expect(arrived).toMatchObject({ title: 'Arrived', artist: 'Wanderer', genre, tags: ['road'] })
    expect(arrived).toMatchObject({ storageRoot, leafCount, byteLength, durationMs })
    for (const { endpoint } of arrived.holders) {
      const { storage } = await wholeTrackOf(endpoint, manifest)
      expect(storage.root).toBe(storageRoot)
    }
    const played = await hexachord(other.urls, 'play', id, '--output', 'null')
    expect(JSON.parse(played.out)).toMatchObject({ hashFailures: 0 })
  })
})

describe('a creator node', () => {
  test('takes in what a gateway gives of a manifest, too', async () => {
    const [holder] = track.holders
    const response = await fetch(`${holder?.endpoint}/ipfs/${track.manifest}?format=car`)
    const content = new Blob([await response.arrayBuffer()])
    const carried = await inspectCar(content)
    expect(carried.carried).toBeUndefined()
    const someone = await newArtist(network)
    const source = { filename: 'gateway.car', content, fingerprint: 'gateway' }
    const upload = await importTrack(someone.connection, someone.account, source, carried)
    expect(upload.track?.manifest).toBe(track.manifest)
    expect(upload.receipts).toHaveLength(3)
  })

  test.each<[string, () => Promise<Uint8Array>, RegExp]>([
    ['is no CAR', async () => new Uint8Array(5000).fill(7), /CARv1/],
    ['breaks off', async () => (await bytesOfFile()).subarray(0, -10), /cut off/],
    ['lacks a block', async () => car((await sections()).slice(0, -1)), /incomplete/],
    [
      'holds a block twice',
      async () => car([...(await sections()), ...(await sections()).slice(-1)]),
      /comes twice/,
    ],
    [
      'holds a stranger’s block',
      async () => car([...(await sections()), await named('a stranger')]),
      /does not name/,
    ],
    ['has wrong bytes', async () => damaged(), /has other bytes/],
    ['has a header of terabytes', async () => new Uint8Array(64).fill(0xff), /claims more/],
    ['claims another length of its sound', () => forged((one) => longer(one)), /ticks/],
    [
      'claims another length of the track',
      () => forged(undefined, (one) => ({ ...one, durationMs: one.durationMs + 5_000 })),
      /lasts/,
    ],
    ['claims another sample rate', () => forged((one) => ({ ...one, sampleRateHz: 8_000 })), /sampleRateHz/],
    ['has bytes for sound', () => forged(withNoise), /block bafkrei/],
  ])('refuses a file that %s, says why, and keeps nothing of it', async (_, make, reason) => {
    const someone = await newArtist(network)
    const bytes = await make()
    const content = new Blob([bytes as Uint8Array<ArrayBuffer>], { type: carType })
    const source = { filename: 'hostile.car', content, fingerprint: String(Math.random()) }
    const failure = await uploadTrack(someone.connection, someone.account, source).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (!(failure instanceof UploadFailed)) throw failure
    expect(failure.upload).toMatchObject({ state: 'failed', problem: 'notATrack' })
    expect(failure.message).toMatch(reason)
    await nothingIsLeftOf(failure.upload, bytes)
  })
})

type Section = readonly [cid: string, bytes: Uint8Array]

const bytesOfFile = async () => new Uint8Array(await readFile(file))

async function sections(): Promise<Section[]> {
  const { blocks } = await openCar((await openAsBlob(file)).stream(), { maximumBlocks: 1000 })
  const found: Section[] = []
  for await (const { cid, bytes } of blocks) found.push([cid, bytes])
  return found
}

function car(all: readonly Section[], root = all[0]?.[0] ?? ''): Uint8Array {
  return new Uint8Array(
    Buffer.concat([carHeader([root]), ...all.flatMap(([cid, bytes]) => carSection(cid, bytes))]),
  )
}

async function named(text: string): Promise<Section> {
  const bytes = new TextEncoder().encode(text)
  return [await cidOf(bytes, 'raw'), bytes]
}

async function damaged(): Promise<Uint8Array> {
  const bytes = await bytesOfFile()
  bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1
  return bytes
}

/** A CAR of the track whose last rendition says something else; hashes and links are as they should be. */
async function forged(
  change: (
    rendition: Rendition,
    store: (bytes: Uint8Array) => Promise<string>,
  ) => Rendition | Promise<Rendition> = (same) => same,
  changeManifest: (manifest: Manifest) => Manifest = (same) => same,
): Promise<Uint8Array> {
  const blocks = new Map(await sections())
  const store = async (bytes: Uint8Array, codec: 'raw' | 'dag-json' = 'raw') => {
    const cid = await cidOf(bytes, codec)
    blocks.set(cid, bytes)
    return cid
  }
  const manifest = decodeManifest(blocks.get(track.manifest) ?? new Uint8Array())
  const last = manifest.renditions.at(-1)?.['/'] ?? ''
  const changed = await change(decodeRendition(blocks.get(last) ?? new Uint8Array()), store)
  const rendition = await store(encodeRendition(changed), 'dag-json')
  const renditions = [linkTo(rendition)]
  const root = await store(encodeManifest(changeManifest({ ...manifest, renditions })), 'dag-json')
  const pictures = (manifest.cover ?? []).map(({ image }) => image['/'])
  const waveform = manifest.waveform ? [manifest.waveform.data['/']] : []
  const fingerprint = manifest.fingerprint ? [manifest.fingerprint.data['/']] : []
  const wanted = new Set([
    root,
    rendition,
    changed.init.data['/'],
    ...changed.segments.map(([, , link]) => link['/']),
    ...pictures,
    ...waveform,
    ...fingerprint,
  ])
  return car(
    [...wanted].map((cid) => [cid, blocks.get(cid) ?? new Uint8Array()] as const),
    root,
  )
}

function longer(rendition: Rendition): Rendition {
  const [[ticks, bytes, link] = [1, 1, linkTo(track.manifest)], ...rest] = rendition.segments
  return { ...rendition, segments: [[ticks + 1000, bytes, link], ...rest] }
}

/** Something else in place of a segment, of the same length. */
async function withNoise(
  rendition: Rendition,
  store: (bytes: Uint8Array) => Promise<string>,
): Promise<Rendition> {
  const [[ticks, bytes] = [1, 1], ...rest] = rendition.segments
  const noise = crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536)))
  return { ...rendition, segments: [[ticks, noise.length, linkTo(await store(noise))], ...rest] }
}

/** Neither the file that was sent, nor a block of it that the node did not have before. */
async function nothingIsLeftOf(upload: UploadAnswer, file: Uint8Array): Promise<void> {
  const sources = path.join(network.directory, 'data', 'creator-node', 'sources')
  await eventually(async () => !(await readdir(sources)).some((name) => name.startsWith(upload.id)), {
    describe: `the file of ${upload.id} is gone`,
    deadlineMs: 10_000,
  })
  const list = await fetch(`${network.urls.creator}/uploads/${upload.id}`)
  expect(((await list.json()) as UploadAnswer).playable).toBeNull()
  const before = new Set((await sections()).map(([cid]) => cid))
  for (const cid of new Set(namesIn(file).filter((name) => !before.has(name)))) {
    const headers = { 'cache-control': 'only-if-cached' }
    const answer = await fetch(`${network.urls.creator}/ipfs/${cid}?format=raw`, { headers })
    expect([cid, answer.status]).toEqual([cid, 412])
  }
}

/** Of the blocks in a CAR, as far as it can be read at all. */
function namesIn(file: Uint8Array): string[] {
  const bytes = Buffer.from(file)
  const names: string[] = []
  // CIDv1, codec, sha2-256 and its length, as they stand before each block.
  for (const [codec, code] of [
    ['raw', [1, 0x55, 0x12, 32]],
    ['dag-json', [1, 0xa9, 0x02, 0x12, 32]],
  ] as const) {
    const prefix = Buffer.from(code)
    for (let at = bytes.indexOf(prefix); at !== -1; at = bytes.indexOf(prefix, at + 1)) {
      const digest = bytes.subarray(at + prefix.length, at + prefix.length + 32)
      if (digest.length === 32) names.push(cidFromDigest(digest, codec))
    }
  }
  return names
}
