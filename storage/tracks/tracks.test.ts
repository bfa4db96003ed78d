import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { cidOf, linkTo } from '@hexachord/protocol/cids'
import { decodeManifest, encodeManifest, ManifestError } from '@hexachord/protocol/manifests'
import { createRetriever, RetrievalFailed, type Source } from '@hexachord/protocol/retrieval'
import { hashBlock, storageRoot } from '@hexachord/protocol/storage-root'
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createEmbeddedIpfs, type IpfsNode } from '../ipfs/index.ts'
import { makeTestTrack, type TestTrack } from './fixtures/index.ts'
import {
  blockRoot,
  createRootHasher,
  IncompleteTrack,
  inspectTrack,
  pullTrack,
  TrackTooLarge,
} from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

let directory: string
let ipfs: IpfsNode
const roots = createRootHasher()
afterAll(() => roots.close())
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hexachord-tracks-'))
  ipfs = await createEmbeddedIpfs({ directory, bitswap: false, logger })
})
afterEach(async () => {
  await ipfs.close()
  await rm(directory, { recursive: true })
})

async function store({ blocks }: Pick<TestTrack, 'blocks'>): Promise<void> {
  for (const { cid, bytes } of blocks) await ipfs.putVerified(cid, bytes)
}

/** A source with these blocks and no others, which notes what it was asked for. */
function sourceOf(id: string, blocks: TestTrack['blocks']): Source & { asked: string[] } {
  const asked: string[] = []
  return {
    id,
    asked,
    async get(cid) {
      asked.push(cid)
      const block = blocks.find((candidate) => candidate.cid === cid)
      if (block === undefined) throw new Error('not here')
      return block.bytes
    },
  }
}

function pull(track: Pick<TestTrack, 'manifest' | 'byteLength'>, sources: Source[], signal?: AbortSignal) {
  return pullTrack({
    ipfs,
    retriever: createRetriever({ fetch, now: () => performance.now(), sources: () => sources }),
    rootOf: roots.rootOf,
    manifest: track.manifest,
    byteLimit: track.byteLength,
    leaseMs: 60_000,
    now: Date.now,
    ...(signal === undefined ? {} : { signal }),
  })
}

describe('inspecting a track', () => {
  test('gives the storage root that anyone finds from the same bytes', async () => {
    const track = await makeTestTrack()
    await store(track)
    const inspected = await inspectTrack(ipfs, track.manifest)
    const bytesOf = new Map(track.blocks.map(({ cid, bytes }) => [cid, bytes]))
    const entries = inspected.blocks.map(({ cid, byteLength }) => {
      const bytes = bytesOf.get(cid)
      if (bytes === undefined) throw new Error(`${cid} is not of this track`)
      return { cid, root: hashBlock(bytes).root, byteLength }
    })
    expect(entries).toHaveLength(track.blocks.length)
    const { root, leafCount, byteLength } = storageRoot(entries)
    expect(inspected).toMatchObject({ storageRoot: root, leafCount, byteLength })
    expect(byteLength).toBe(track.byteLength)
  })

  test('takes roots that are known already, but not for blocks that are not here', async () => {
    const track = await makeTestTrack()
    await store(track)
    const known = new Map(track.blocks.map(({ cid, bytes }) => [cid, blockRoot(bytes)]))
    const read: string[] = []
    const watched = {
      size: ipfs.size,
      get: (cid: string) => {
        read.push(cid)
        return ipfs.get(cid)
      },
    }
    const full = await inspectTrack(ipfs, track.manifest)
    const quick = await inspectTrack(watched, track.manifest, { knownRoot: (cid) => known.get(cid) })
    expect(quick).toEqual(full)
    expect(read.filter((cid) => cid.startsWith('bafkrei'))).toEqual([])

    await ipfs.collect({ graceMs: -1_000 })
    await store({ blocks: track.blocks.filter(({ cid }) => !cid.startsWith('bafkrei')) })
    await expect(
      inspectTrack(ipfs, track.manifest, { knownRoot: (cid) => known.get(cid) }),
    ).rejects.toBeInstanceOf(IncompleteTrack)
  })

  test('names the block that is missing', async () => {
    const track = await makeTestTrack()
    const [missing, ...rest] = track.blocks
    await store({ blocks: rest })
    await expect(inspectTrack(ipfs, track.manifest)).rejects.toMatchObject({
      name: 'IncompleteTrack',
      cid: missing?.cid,
    })
  })

  test('does not believe a length that the manifest only claims', async () => {
    const track = await makeTestTrack()
    await store(track)
    const last = track.blocks.at(-1)
    if (last === undefined) throw new Error('no manifest')
    const picture = randomBytes(500)
    const image = linkTo(await ipfs.put(picture, 'raw'))
    const lying = encodeManifest({
      ...decodeManifest(last.bytes),
      cover: [{ image, byteLength: 499, type: 'image/png', width: 10, height: 10 }],
    })
    const manifest = await ipfs.put(lying, 'dag-json')
    await expect(inspectTrack(ipfs, manifest)).rejects.toThrow('has 500 bytes, the manifest says 499')
  })

  test('refuses what is no manifest', async () => {
    const cid = await ipfs.put(new TextEncoder().encode('{"kind":"track"}'), 'dag-json')
    await expect(inspectTrack(ipfs, cid)).rejects.toBeInstanceOf(ManifestError)
  })

  test('sees a block that has rotted', async () => {
    const track = await makeTestTrack()
    await store(track)
    const [victim] = track.blocks
    if (victim === undefined) throw new Error('no block')
    await writeFile(join(directory, 'blocks', victim.cid.slice(-3, -1), victim.cid), 'rot')
    await expect(inspectTrack(ipfs, track.manifest)).rejects.toMatchObject({ cid: victim.cid })
  })
})

describe('pulling a track', () => {
  test('brings every block, each from whoever has it', async () => {
    const track = await makeTestTrack()
    const even = sourceOf(
      'even',
      track.blocks.filter((_, index) => index % 2 === 0),
    )
    const odd = sourceOf(
      'odd',
      track.blocks.filter((_, index) => index % 2 === 1),
    )
    const pulled = await pull(track, [even, odd])
    expect(pulled.byteLength).toBe(track.byteLength)
    await expect(ipfs.pin(track.manifest)).resolves.toMatchObject({ blocks: track.blocks.length })
  })

  test('asks nobody for what is here', async () => {
    const track = await makeTestTrack()
    await store({ blocks: track.blocks.slice(3) })
    const source = sourceOf('all', track.blocks)
    await pull(track, [source])
    expect(new Set(source.asked)).toEqual(new Set(track.blocks.slice(0, 3).map(({ cid }) => cid)))
  })

  test('keeps what it brought from collection until it is pinned', async () => {
    const track = await makeTestTrack()
    const [last, ...others] = [...track.blocks]
    const source = sourceOf('almost all', others)
    await expect(pull(track, [source])).rejects.toBeInstanceOf(RetrievalFailed)
    await ipfs.collect({ graceMs: -1_000 })
    const whole = sourceOf('whole', track.blocks)
    await pull(track, [whole])
    expect(whole.asked).toContain(last?.cid)
    expect(whole.asked.length).toBeLessThan(track.blocks.length)
  })

  test('stops before the segments when the track is larger than allowed', async () => {
    const track = await makeTestTrack()
    const source = sourceOf('all', track.blocks)
    const limited = { ...track, byteLength: track.byteLength - 1 }
    await expect(pull(limited, [source])).rejects.toBeInstanceOf(TrackTooLarge)
    expect(source.asked.every((cid) => cid.startsWith('baguqeera'))).toBe(true)
  })

  test('takes no wrong bytes', async () => {
    const track = await makeTestTrack()
    const liar: Source = { id: 'liar', get: async () => randomBytes(100) }
    const honest = sourceOf('honest', track.blocks)
    await pull(track, [liar, honest])
    await expect(inspectTrack(ipfs, track.manifest)).resolves.toMatchObject({ byteLength: track.byteLength })
    const lies = await cidOf(randomBytes(10), 'raw')
    expect(await ipfs.has(lies)).toBe(false)
  })

  test('ends when its caller does', async () => {
    const track = await makeTestTrack()
    const caller = new AbortController()
    const silent: Source = {
      id: 'silent',
      get: () => {
        caller.abort(new Error('no longer wanted'))
        return new Promise(() => undefined)
      },
    }
    await expect(pull(track, [silent], caller.signal)).rejects.toThrow('no longer wanted')
  })
})
