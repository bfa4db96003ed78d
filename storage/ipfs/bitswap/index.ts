import type { Logger } from '@hexachord/platform/process'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import pLimit from 'p-limit'
import type { BlockStore } from '../block-store.ts'
import { BlockUnavailable, type RegisteredPeer } from '../ipfs-node.ts'
import { BlockSource } from './block-source.ts'
import { startHeliaBitswap } from './helia-bitswap.ts'
import { createNetwork, wantsInFlight } from './network.ts'
import { keepConnected } from './redial.ts'

/** Exchange of blocks with registered peers, and with nobody else. */
export type Bitswap = {
  addresses(): string[]
  connectedPeers(): string[]
  /**
   * Asks peers one after the other, so that a block comes once and not from everybody.
   * @param prefer peer ids to ask; all that are connected when empty
   * @throws BlockUnavailable when nobody gives it
   */
  request(cid: string, prefer: readonly string[], signal: AbortSignal | undefined): Promise<Uint8Array>
  /** Tells peers that wait for the block. */
  announce(cid: string): void
  close(): Promise<void>
}

export type BitswapOptions = {
  privateKey: PrivateKey
  listen: readonly string[]
  announce: readonly string[]
  allowPeer: (peerId: string) => boolean
  peers: () => readonly RegisteredPeer[]
  store: Pick<BlockStore, 'get' | 'has'>
  logger: Pick<Logger, 'debug' | 'warn'>
  /** How long one peer has for one block. */
  peerTimeoutMs: number
  /** How often peers that are not connected are considered. */
  redialIntervalMs?: number | undefined
}

/**
 * Peers that kept silent are asked once more: the sender notes a block as sent although the stream broke, and says
 * nothing for 5 s when it is asked again too soon.
 */
const rounds = 2

const dialTimeoutMs = 10_000

export async function startBitswap(options: BitswapOptions): Promise<Bitswap> {
  const { store, logger, peerTimeoutMs } = options
  const self = peerIdFromPrivateKey(options.privateKey).toString()
  const allowPeer = (peerId: string) => peerId !== self && options.allowPeer(peerId)
  const libp2p = await createNetwork({ ...options, allowPeer })
  const exchange = await startHeliaBitswap(libp2p, new BlockSource(store))
  await libp2p.start()

  const closing = new AbortController()
  const limit = pLimit(wantsInFlight)
  const connectedPeers = () => [...new Set(libp2p.getPeers().map(String))]

  async function dial(peer: RegisteredPeer, signal: AbortSignal): Promise<void> {
    const addresses = peer.addresses.map((text) => withPeer(text, peer.peerId))
    await libp2p.dial(addresses, { signal: AbortSignal.any([signal, AbortSignal.timeout(dialTimeoutMs)]) })
  }

  async function connect(peerId: string, signal: AbortSignal): Promise<void> {
    if (libp2p.getConnections(peerIdFromString(peerId)).length > 0) return
    const peer = options.peers().find((candidate) => candidate.peerId === peerId)
    if (peer === undefined || peer.addresses.length === 0)
      throw new Error(`peer ${peerId} has no known address`)
    await dial(peer, signal)
  }

  async function askPeer(peerId: string, cid: string, signal: AbortSignal): Promise<Uint8Array> {
    await connect(peerId, signal)
    return exchange.ask(peerIdFromString(peerId).toCID(), cid, signal)
  }

  async function askRound(
    cid: string,
    peers: readonly string[],
    signal: AbortSignal,
  ): Promise<{ bytes?: Uint8Array; silent: string[]; failures: unknown[] }> {
    const silent: string[] = []
    const failures: unknown[] = []
    for (const peerId of peers) {
      const patience = AbortSignal.timeout(peerTimeoutMs)
      try {
        return { bytes: await askPeer(peerId, cid, AbortSignal.any([signal, patience])), silent, failures }
      } catch (error) {
        signal.throwIfAborted()
        if (patience.aborted) silent.push(peerId)
        failures.push(error)
      }
    }
    return { silent, failures }
  }

  async function request(cid: string, prefer: readonly string[], signal: AbortSignal): Promise<Uint8Array> {
    const failures: unknown[] = []
    let peers = (prefer.length > 0 ? prefer : connectedPeers()).filter(allowPeer)
    if (peers.length === 0) throw new BlockUnavailable(cid, 'no registered peer is connected')
    const asked = peers.length
    for (let round = 0; round < rounds && peers.length > 0; round += 1) {
      const outcome = await askRound(cid, peers, signal)
      if (outcome.bytes !== undefined) return outcome.bytes
      failures.push(...outcome.failures)
      peers = outcome.silent
    }
    const why =
      peers.length > 0 ? `${peers.length} of ${asked} peers did not answer` : `none of ${asked} peers has it`
    throw new BlockUnavailable(cid, why, { cause: new AggregateError(failures) })
  }

  const redialling = keepConnected({
    peers: () => options.peers().filter(({ peerId }) => allowPeer(peerId)),
    isConnected: (peerId) => libp2p.getConnections(peerIdFromString(peerId)).length > 0,
    dial,
    async dropUnregistered() {
      const strangers = libp2p.getPeers().filter((peer) => !allowPeer(peer.toString()))
      await Promise.all(
        strangers.map((peer) => libp2p.hangUp(peer, { signal: AbortSignal.timeout(dialTimeoutMs) })),
      )
    },
    logger,
    ...(options.redialIntervalMs === undefined ? {} : { intervalMs: options.redialIntervalMs }),
  })

  return {
    addresses: () => libp2p.getMultiaddrs().map(String),
    connectedPeers,
    async request(cid, prefer, signal) {
      const either = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal])
      return limit(async () => {
        either.throwIfAborted()
        return request(cid, prefer, either)
      })
    },
    announce(cid) {
      exchange.announce(cid).catch((err: unknown) => {
        // Whoever waits asks again; the block is safe here.
        logger.debug({ err, cid }, 'new block could not be announced')
      })
    },
    async close() {
      closing.abort(new DOMException('the node is closing', 'AbortError'))
      await redialling.close()
      await exchange.stop()
      await libp2p.stop()
    },
  }
}

function withPeer(text: string, peerId: string) {
  const address = multiaddr(text)
  return address.getComponents().some(({ name }) => name === 'p2p')
    ? address
    : address.encapsulate(`/p2p/${peerId}`)
}
