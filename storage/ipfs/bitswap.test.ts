import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { cidOf, maximumBlockBytes } from '@hexachord/protocol/cids'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { putSample, sampleBytes } from './compliance/subject.ts'
import { eventually } from './fixtures/eventually.ts'
import {
  BlockUnavailable,
  type ConnectedIpfs,
  createEmbeddedIpfs,
  type EmbeddedIpfsOptions,
} from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

describe('bitswap between embedded nodes', () => {
  let directory: string
  let nodes: Map<string, ConnectedIpfs>
  let registered: Set<string>

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bitswap-'))
    nodes = new Map()
    registered = new Set()
  })
  afterEach(async () => {
    await Promise.all([...nodes.values()].map((node) => node.close()))
    await rm(directory, { recursive: true })
  })

  const peers = () =>
    [...nodes.values()].map((node) => ({ peerId: node.peerId, addresses: node.addresses() }))

  async function startNode(name: string, options: Partial<EmbeddedIpfsOptions> = {}): Promise<ConnectedIpfs> {
    const node = await createEmbeddedIpfs({
      directory: join(directory, name),
      logger,
      allowPeer: (peerId) => registered.has(peerId),
      peers,
      redialIntervalMs: 50,
      ...options,
    })
    nodes.set(name, node)
    return node
  }

  async function startMember(
    name: string,
    options: Partial<EmbeddedIpfsOptions> = {},
  ): Promise<ConnectedIpfs> {
    const node = await startNode(name, options)
    registered.add(node.peerId)
    return node
  }

  /** All members see each other. */
  async function allConnected(): Promise<void> {
    for (const node of nodes.values()) {
      await eventually(
        () => node.connectedPeers().length,
        (count) => count === nodes.size - 1,
      )
    }
  }

  const signal = () => AbortSignal.timeout(30_000)

  test('carries 64 blocks of 160 kB to two others at once, and each then has them on its own disk', async () => {
    const source = await startMember('source')
    const takers = [await startMember('one'), await startMember('two')]
    await allConnected()
    const cids = await Promise.all(
      Array.from({ length: 64 }, (_, index) => putSample(source, `block ${index}`, 160_000)),
    )
    for (const taker of takers) {
      await Promise.all(cids.map((cid) => taker.fetch(cid, { peers: [source.peerId], signal: signal() })))
    }
    for (const taker of takers) {
      expect(await taker.usage()).toEqual({ blocks: 64, bytes: 64 * 160_000 })
      for (const cid of cids) expect([cid, await taker.verify(cid)]).toEqual([cid, 'ok'])
    }
  }, 60_000)

  test('carries blocks of every size up to the largest there is', async () => {
    const source = await startMember('source')
    const taker = await startMember('taker')
    await allConnected()
    const sizes = [0, 1, 1_023, 1_024, 256 * 1_024, maximumBlockBytes - 1, maximumBlockBytes]
    for (const size of sizes) {
      const cid = await putSample(source, `size ${size}`, size)
      expect(
        Buffer.compare(await taker.fetch(cid, { signal: signal() }), sampleBytes(`size ${size}`, size)),
      ).toBe(0)
    }
  }, 60_000)

  test('carries as many of the largest blocks at once as are ever asked for', async () => {
    const source = await startMember('source')
    const taker = await startMember('taker')
    await allConnected()
    const seeds = Array.from({ length: 24 }, (_, index) => `large ${index}`)
    const cids = await Promise.all(seeds.map((seed) => putSample(source, seed, maximumBlockBytes)))
    await Promise.all(cids.map((cid) => taker.fetch(cid, { signal: signal() })))
    expect(await taker.usage()).toEqual({ blocks: 24, bytes: 24 * maximumBlockBytes })
  }, 60_000)

  test('carries nothing that the operator of its source refuses, from the moment on in which he does', async () => {
    const refused = new Set<string>()
    const source = await startMember('source', { isDenied: (cid) => refused.has(cid) })
    const taker = await startMember('taker', { peerTimeoutMs: 1_000 })
    await allConnected()
    const cids = await Promise.all(['one', 'two'].map((seed) => putSample(source, seed)))
    const [one = '', two = ''] = cids
    refused.add(one)
    await expect(taker.fetch(one, { signal: signal() })).rejects.toBeInstanceOf(BlockUnavailable)
    await taker.fetch(two, { signal: signal() })
    expect(await source.has(one)).toBe(true)
  }, 60_000)

  test('goes on to the next peer when one has not got the block', async () => {
    const without = await startMember('without')
    const source = await startMember('source')
    const taker = await startMember('taker')
    await allConnected()
    const cid = await putSample(source, 'rare')
    const peerIds = [without.peerId, source.peerId]
    expect(
      Buffer.compare(await taker.fetch(cid, { peers: peerIds, signal: signal() }), sampleBytes('rare')),
    ).toBe(0)
    expect(await without.has(cid)).toBe(false)
  })

  test('says that nobody has the block, and finds it once somebody does', async () => {
    const source = await startMember('source')
    const taker = await startMember('taker')
    await allConnected()
    const cid = await cidOf(sampleBytes('soon'), 'raw')
    await expect(taker.fetch(cid, { signal: signal() })).rejects.toMatchObject({
      name: 'BlockUnavailable',
      cid,
    })
    await putSample(source, 'soon')
    expect(Buffer.compare(await taker.fetch(cid, { signal: signal() }), sampleBytes('soon'))).toBe(0)
  })

  test('gets a block again from the peer that sent it before', async () => {
    const source = await startMember('source')
    const taker = await startMember('taker')
    await allConnected()
    const cid = await putSample(source, 'twice')
    await taker.fetch(cid, { signal: signal() })
    await taker.collect({ graceMs: 0 })
    expect(await taker.has(cid)).toBe(false)
    expect(Buffer.compare(await taker.fetch(cid, { signal: signal() }), sampleBytes('twice'))).toBe(0)
  }, 30_000)

  test('gives up at once when the caller does, and when the node closes', async () => {
    const source = await startMember('source')
    const taker = await startMember('taker')
    await allConnected()
    const cid = await cidOf(sampleBytes('nowhere'), 'raw')
    await expect(taker.fetch(cid)).rejects.toMatchObject({ name: 'BlockUnavailable' })
    // Asked a second time for what it has not got, a peer keeps silent.
    const stop = new AbortController()
    const abandoned = taker.fetch(cid, { peers: [source.peerId], signal: stop.signal })
    stop.abort(new Error('no longer wanted'))
    await expect(abandoned).rejects.toThrow('no longer wanted')
    const cut = taker.fetch(cid, { peers: [source.peerId] })
    const closed = taker.close()
    await expect(cut).rejects.toThrow()
    await closed
  })

  test('asks a peer that keeps silent no longer than it may take', async () => {
    await startMember('source')
    const taker = await startMember('taker', { peerTimeoutMs: 300 })
    await allConnected()
    const cid = await cidOf(sampleBytes('nowhere'), 'raw')
    await expect(taker.fetch(cid)).rejects.toThrow(/0 gave no answer/)
    await expect(taker.fetch(cid)).rejects.toThrow(/1 gave no answer/)
  })

  test('neither lets a stranger in nor goes to one', async () => {
    const member = await startMember('member')
    const stranger = await startNode('stranger', { allowPeer: () => true })
    const cid = await putSample(member, 'not for strangers')
    const fetching = stranger.fetch(cid, { peers: [member.peerId], signal: signal() })
    await expect(fetching).rejects.toMatchObject({ name: 'BlockUnavailable' })
    const theirs = await putSample(stranger, 'from a stranger')
    await expect(member.fetch(theirs, { peers: [stranger.peerId], signal: signal() })).rejects.toThrow(
      /no registered peer/,
    )
    expect(member.connectedPeers()).toEqual([])
    expect(await stranger.has(cid)).toBe(false)
  })

  test('is not put off by a peer whose id or address is nonsense', async () => {
    const nonsense = [
      { peerId: 'nobody', addresses: ['/ip4/127.0.0.1/tcp/1'] },
      { peerId: '12D3KooWGzwofetTiZU2iyeYRHWiZBGjTmGV27FZS1sKpmTUYtkL', addresses: ['somewhere'] },
    ]
    for (const { peerId } of nonsense) registered.add(peerId)
    const mixed = () => [...nonsense, ...peers()]
    await startMember('one', { peers: mixed })
    await startMember('two', { peers: mixed })
    await allConnected()
  })

  test('drops a peer that is no longer registered', async () => {
    const member = await startMember('member')
    const leaving = await startMember('leaving')
    await allConnected()
    registered.delete(leaving.peerId)
    await eventually(
      () => member.connectedPeers(),
      (connected) => connected.length === 0,
    )
  })

  test('finds a peer again that was away, under the same peer id', async () => {
    const member = await startMember('member')
    const first = await startMember('traveller')
    await allConnected()
    await first.close()
    await eventually(
      () => member.connectedPeers(),
      (connected) => connected.length === 0,
    )
    const again = await startNode('traveller')
    expect(again.peerId).toBe(first.peerId)
    await allConnected()
    const cid = await putSample(member, 'welcome back')
    expect(Buffer.compare(await again.fetch(cid, { signal: signal() }), sampleBytes('welcome back'))).toBe(0)
  })

  test('dials nothing but IP or DNS names over TCP', async () => {
    // It knows of nobody: a connection from its side would carry the block too.
    const far = await startMember('far', { peers: () => [] })
    const elsewhere = [
      '/dnsaddr/bootstrap.example',
      '/ip4/127.0.0.1/udp/4001/quic-v1',
      '/ip4/127.0.0.1/tcp/1/ws',
    ]
    const asker = await startMember('asker', {
      peers: () => [{ peerId: far.peerId, addresses: elsewhere }],
      redialIntervalMs: 60_000,
    })
    const cid = await putSample(far, 'unreachable')
    await expect(asker.fetch(cid, { peers: [far.peerId], signal: signal() })).rejects.toMatchObject({
      name: 'BlockUnavailable',
    })
  })

  test('says which address it cannot listen on, and lets go of its directory', async () => {
    const first = await startMember('first')
    const taken = (first.addresses()[0] ?? '').replace(/\/p2p\/.*$/, '')
    await expect(startNode('second', { listen: [taken] })).rejects.toMatchObject({
      name: 'ListenFailed',
      message: expect.stringMatching(
        /^cannot listen for peers on \/ip4\/127.0.0.1\/tcp\/\d+: listen EADDRINUSE/,
      ),
    })
    expect((await startNode('second')).addresses()).toHaveLength(1)
  })

  test('leaves no port open', async () => {
    const node = await startMember('brief')
    const port = Number(node.addresses()[0]?.split('/')[4])
    await node.close()
    const refused = await new Promise<string | undefined>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      socket.once('connect', () => {
        socket.destroy()
        resolve('connected')
      })
    })
    expect(refused).toBe('ECONNREFUSED')
  })
})
