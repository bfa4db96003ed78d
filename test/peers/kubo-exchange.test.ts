import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { openCar } from '@hexachord/protocol/cars'
import { cidOf } from '@hexachord/protocol/cids'
import { blocksOf, loadTrack } from '@hexachord/protocol/manifests'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { openExport } from '@hexachord/sdk/carrying'
import { type ConnectedIpfs, createEmbeddedIpfs, ipfsMigrations } from '@hexachord/storage/ipfs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { createKuboIpfs } from '../../storage/ipfs/kubo/kubo.ts'
import { newArtist } from '../network/artist.ts'
import { blockOf } from '../network/node-blocks.ts'
import { makeRecording } from '../network/recordings.ts'
import { whyMissing } from './debian.ts'
import { bringKubo } from './kubo/bring-kubo.ts'
import { createTestRegistry, type TestRegistry } from './kubo/registry.ts'
import { initKubo, type Kubo } from './kubo/start-kubo.ts'

const kuboProgram = await bringKubo()
const logger = createLogger({ service: 'test', level: 'silent' })
const network = testNetwork()
const run = 'path' in kuboProgram ? describe : describe.skip

run(`a real Kubo${whyMissing(kuboProgram)}`, () => {
  const program = 'path' in kuboProgram ? kuboProgram.path : ''
  let folder: TemporaryFolder
  let ours: Kubo
  /** A published track: its manifest and all its blocks, the manifest first. */
  let track: { manifest: string; cids: string[] }
  /** The same as its artist carries it away. */
  let exported: string
  let registry: TestRegistry
  let closings: (() => Promise<void>)[]
  let made = 0

  beforeAll(async () => {
    folder = await makeTemporaryFolder()
    ours = await initKubo(program, path.join(folder.path, 'ours'))
    await ours.closeAndHarden()
    await ours.start()
    const artist = await newArtist(network)
    const file = await makeRecording(folder.path, { name: 'travels', seconds: 40, format: 'flac' })
    const published = (await artist.release(file, { title: 'It travels' })).track
    const { manifest } = published
    const loaded = await loadTrack(manifest, (cid) => blockOf(network.urls.creator, cid))
    track = { manifest, cids: [...new Set([manifest, ...blocksOf(loaded).map(({ cid }) => cid)])] }
    const { header, sections } = await openExport(artist.connection, published)
    exported = path.join(folder.path, 'carried.car')
    const pieces = [header]
    for await (const section of sections()) pieces.push(...section)
    await writeFile(exported, pieces)
  })
  afterAll(async () => {
    await ours?.stop()
    await folder?.remove()
  })

  beforeEach(() => {
    registry = createTestRegistry()
    closings = []
  })
  afterEach(async () => {
    for (const close of closings.reverse()) await close()
  })

  async function embedded(): Promise<ConnectedIpfs> {
    made += 1
    const directory = path.join(folder.path, `embedded-${made}`)
    const node = await createEmbeddedIpfs({ directory, logger, redialIntervalMs: 50, ...registry })
    closings.push(() => node.close())
    registry.register({ peerId: node.peerId, addresses: node.addresses() })
    return node
  }

  /** A node on the Kubo, with its blocks gone again when it closes. */
  async function onKubo(kubo: Kubo = ours): Promise<ConnectedIpfs> {
    made += 1
    const directory = path.join(folder.path, `on-kubo-${made}`)
    const database = openSqlite(':memory:', { migrations: ipfsMigrations })
    const node = await createKuboIpfs({
      kubo: { url: kubo.apiUrl, secret: kubo.secret },
      ...{ directory, database, logger, peerTimeoutMs: 8_000, ...registry },
      listen: { host: '127.0.0.1', port: 0 },
    })
    closings.push(async () => {
      for await (const root of node.pins()) await node.unpin(root)
      await node.collect({ graceMs: 0 })
      await node.close()
      await kubo.ipfs('repo', 'gc', '--quiet')
    })
    registry.register({ peerId: node.peerId, addresses: node.addresses() })
    return node
  }

  const connected = (one: ConnectedIpfs, other: ConnectedIpfs) =>
    eventually(
      () => one.connectedPeers().includes(other.peerId) && other.connectedPeers().includes(one.peerId),
      { describe: 'a connection between the two', deadlineMs: 20_000 },
    )

  /** Takes the track from the network over HTTP. */
  async function load(node: ConnectedIpfs): Promise<void> {
    for (const cid of track.cids) await node.putVerified(cid, await blockOf(network.urls.creator, cid))
  }

  async function hasAll(node: ConnectedIpfs): Promise<void> {
    for (const cid of track.cids) expect([cid, await node.verify(cid)]).toEqual([cid, 'ok'])
    expect(await node.pin(track.manifest)).toMatchObject({ blocks: track.cids.length })
  }

  const fetchAll = (node: ConnectedIpfs, peers: string[]) =>
    Promise.all(track.cids.map((cid) => node.fetch(cid, { peers, signal: AbortSignal.timeout(60_000) })))

  test('takes a whole track from an embedded node by bitswap', async () => {
    const [source, taker] = [await embedded(), await onKubo()]
    await load(source)
    await connected(source, taker)
    await fetchAll(taker, [source.peerId])
    await hasAll(taker)
  })

  test('gives a whole track to an embedded node by bitswap', async () => {
    const [source, taker] = [await onKubo(), await embedded()]
    await load(source)
    await connected(source, taker)
    await fetchAll(taker, [source.peerId])
    await hasAll(taker)
  })

  test('says in time that nobody has a block, and gives up at once when the caller does', async () => {
    const [member, node] = [await embedded(), await onKubo()]
    await connected(member, node)
    const cid = await cidOf(new TextEncoder().encode('nobody has this'), 'raw')
    const unavailable = { name: 'BlockUnavailable', cid }
    await expect(node.fetch(cid, { peers: [member.peerId] })).rejects.toMatchObject(unavailable)
    await expect(member.fetch(cid, { peers: [node.peerId] })).rejects.toMatchObject(unavailable)
    const stop = new AbortController()
    const abandoned = node.fetch(cid, { signal: stop.signal })
    stop.abort(new Error('no longer wanted'))
    await expect(abandoned).rejects.toThrow('no longer wanted')
  })

  test('takes a whole track as the CAR that our gateway gives, and keeps it once it is pinned', async () => {
    const node = await onKubo()
    const url = `${network.urls.creator}/ipfs/${track.manifest}?format=car&dag-scope=all`
    const car = path.join(folder.path, 'track.car')
    await writeFile(car, Buffer.from(await (await fetch(url)).arrayBuffer()))
    await ours.ipfs('dag', 'import', '--pin-roots=false', car)
    expect(await node.has(track.manifest)).toBe(true)
    expect(await node.usage()).toEqual({ blocks: 0, bytes: 0 })
    await hasAll(node)
    expect(await node.usage()).toMatchObject({ blocks: track.cids.length })
  })

  test('takes the file that an artist exports, whole under one root', async () => {
    const node = await onKubo()
    const { roots } = await openCar(createReadStream(exported), { maximumBlocks: 1_000 })
    // Pinning the root fails unless everything that it links to is there.
    expect(await ours.ipfs('dag', 'import', '--stats', exported)).toContain(roots[0])
    await ours.ipfs('pin', 'rm', roots[0] ?? '')
    await hasAll(node)
  })

  test('gives a whole track as a CAR to an embedded node', async () => {
    const [source, taker] = [await onKubo(), await embedded()]
    await load(source)
    const car = path.join(folder.path, 'exported.car')
    await ours.exportCar(track.manifest, car)
    const { roots, blocks } = await openCar(createReadStream(car), { maximumBlocks: track.cids.length })
    for await (const { cid, bytes } of blocks) await taker.putVerified(cid, bytes)
    expect(roots).toEqual([track.manifest])
    await hasAll(taker)
  })

  test('keeps what a node holds from its own collection, whole or not', async () => {
    const node = await onKubo()
    await load(node)
    const file = path.join(folder.path, 'stray')
    await writeFile(file, 'nobody of ours has put this')
    const stray = (await ours.ipfs('block', 'put', file)).trim()
    expect(await node.has(stray)).toBe(true)
    await ours.ipfs('repo', 'gc', '--quiet')
    for (const cid of track.cids) expect(await node.has(cid)).toBe(true)
    expect(await node.has(stray)).toBe(false)
    await hasAll(node)
  })

  test('gives a stranger nothing, whoever of ours it asks', async () => {
    const [member, node] = [await embedded(), await onKubo()]
    await connected(member, node)
    await load(member)
    await load(node)
    const stranger = await initKubo(program, path.join(folder.path, 'stranger'))
    await stranger.closeAndHarden()
    await stranger.start()
    try {
      const [address = ''] = member.addresses()
      await stranger.ipfs('swarm', 'connect', address).catch(() => {})
      const asking = stranger.ipfs('--timeout=3s', 'block', 'get', track.manifest)
      await expect(asking).rejects.toThrow()
      expect(member.connectedPeers()).toEqual([node.peerId])
      // The handshake may be over before it is cut off, and it may try as often as it likes.
      const [door = ''] = node.addresses()
      const trying = Promise.all(
        Array.from({ length: 10 }, () => stranger.ipfs('swarm', 'connect', door).catch(() => {})),
      )
      const askingKubo = stranger.ipfs('--timeout=3s', 'block', 'get', track.cids[3] ?? '')
      await expect(askingKubo).rejects.toThrow()
      await trying
      await eventually(async () => (await stranger.ipfs('swarm', 'peers')).trim() === '', {
        describe: 'the stranger without a connection',
        deadlineMs: 10_000,
      })
      expect(node.connectedPeers()).toEqual([member.peerId])
    } finally {
      await stranger.stop()
    }
  })

  test('drops a peer that is no longer registered', async () => {
    const [member, node] = [await embedded(), await onKubo()]
    await connected(member, node)
    registry.remove(member.peerId)
    await eventually(() => node.connectedPeers().length === 0, {
      describe: 'a Kubo without connections',
      deadlineMs: 10_000,
    })
  })
})
