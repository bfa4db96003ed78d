import type { Logger } from '@hexachord/platform/process'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { BlockStore } from '../block-store.ts'
import { BlockUnavailable, ListenFailed, type RegisteredPeer } from '../ipfs-node.ts'
import { BlockSource } from './block-source.ts'
import { startHeliaBitswap } from './helia-bitswap.ts'
import { inTurn } from './in-turn.ts'
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
  close(): Promise<void>
}

export type BitswapOptions = {
  privateKey: PrivateKey
  listen: readonly string[]
  announce: readonly string[]
  allowPeer: (peerId: string) => boolean
  peers: () => readonly RegisteredPeer[]
  store: Pick<BlockStore, 'get' | 'has'>
  /** Whether this operator refuses to give a block to anybody. @default none */
  isDenied?: ((cid: string) => boolean) | undefined
  logger: Pick<Logger, 'debug' | 'warn'>
  /** How long one peer has for one block. */
  peerTimeoutMs: number
  /** How often peers that are not connected are considered. */
  redialIntervalMs?: number | undefined
}

/** A peer that gave no answer is asked last for this long. */
const demotionMs = 60_000

const dialTimeoutMs = 10_000

/** @throws ListenFailed */
export async function startBitswap(options: BitswapOptions): Promise<Bitswap> {
  const { store, logger, peerTimeoutMs } = options
  const self = peerIdFromPrivateKey(options.privateKey).toString()
  const allowPeer = (peerId: string) => peerId !== self && options.allowPeer(peerId)
  const libp2p = await createNetwork({ ...options, allowPeer })
  const exchange = await startHeliaBitswap(libp2p, new BlockSource(store, options.isDenied))
  try {
    await libp2p.start()
  } catch (cause) {
    await exchange.stop()
    throw new ListenFailed(options.listen, cause)
  }

  const closing = new AbortController()
  const silentSince = new Map<string, number>()
  const connectedPeers = () => [...new Set(libp2p.getPeers().map(String))]

  async function dial(peer: RegisteredPeer, signal: AbortSignal): Promise<void> {
    const addresses = peer.addresses.map((text) => withPeer(text, peer.peerId))
    await libp2p.dial(addresses, { signal: AbortSignal.any([signal, AbortSignal.timeout(dialTimeoutMs)]) })
  }

  async function connect(peerId: string, signal: AbortSignal): Promise<void> {
    if (connectedPeers().includes(peerId)) return
    const peer = options.peers().find((candidate) => candidate.peerId === peerId)
    if (peer === undefined || peer.addresses.length === 0)
      throw new Error(`peer ${peerId} has no known address`)
    await dial(peer, signal)
  }

  async function askPeer(peerId: string, cid: string, signal: AbortSignal): Promise<Uint8Array> {
    await connect(peerId, signal)
    return exchange.ask(peerIdFromString(peerId).toCID(), cid, signal)
  }

  async function request(cid: string, prefer: readonly string[], signal: AbortSignal): Promise<Uint8Array> {
    const candidates = (prefer.length > 0 ? prefer : connectedPeers()).filter(allowPeer)
    if (candidates.length === 0) throw new BlockUnavailable(cid, 'no registered peer is connected')
    const failures: unknown[] = []
    let unanswered = 0
    for (const peerId of answeringFirst(candidates)) {
      const patience = AbortSignal.timeout(peerTimeoutMs)
      try {
        const bytes = await askPeer(peerId, cid, AbortSignal.any([signal, patience]))
        silentSince.delete(peerId)
        return bytes
      } catch (error) {
        signal.throwIfAborted()
        failures.push(error)
        if (!patience.aborted) continue
        unanswered += 1
        silentSince.set(peerId, performance.now())
      }
    }
    const why = `of ${candidates.length} registered peers ${unanswered} gave no answer, the others have not got it`
    throw new BlockUnavailable(cid, why, { cause: new AggregateError(failures) })
  }

  function answeringFirst(peers: readonly string[]): string[] {
    const isSilent = (peerId: string) =>
      performance.now() - (silentSince.get(peerId) ?? Number.NEGATIVE_INFINITY) < demotionMs
    return [...peers].sort((a, b) => Number(isSilent(a)) - Number(isSilent(b)))
  }

  const redialling = keepConnected({
    peers: () => options.peers().filter(({ peerId }) => allowPeer(peerId)),
    isConnected: (peerId) => connectedPeers().includes(peerId),
    dial,
    async dropUnregistered() {
      for (const peerId of silentSince.keys()) if (!allowPeer(peerId)) silentSince.delete(peerId)
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
    request: inTurn(request, { atOnce: wantsInFlight, closing: closing.signal }),
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
