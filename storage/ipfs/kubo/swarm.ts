import type { Logger } from '@hexachord/platform/process'
import { multiaddr } from '@multiformats/multiaddr'
import { inTurn } from '../bitswap/in-turn.ts'
import type { Bitswap } from '../bitswap/index.ts'
import { isPlainTcp } from '../bitswap/plain-tcp.ts'
import { keepConnected } from '../bitswap/redial.ts'
import { BlockUnavailable, type RegisteredPeer } from '../ipfs-node.ts'
import type { KuboIdentity, SoundKubo } from './sound-kubo.ts'

/** How often Kubo's connections are looked at: for so long a peer may stay that is no longer registered. */
const defaultIntervalMs = 1_000

const dialTimeoutMs = 10_000

/** Blocks asked for at one time. */
const wantsInFlight = 16

/**
 * Keeps Kubo connected to registered peers, and to nobody else: Kubo dials nobody by itself (no bootstrap, no routing, no
 * discovery) and listens on loopback, so that others reach it through the front door, which lets only registered peers in.
 * Who is not registered any more, or comes from this very machine, is disconnected at the next look.
 */
export function joinSwarm(options: {
  kubo: SoundKubo
  identity: KuboIdentity
  /** Multiaddrs by which others reach Kubo. */
  announce: readonly string[]
  allowPeer: (peerId: string) => boolean
  peers: () => readonly RegisteredPeer[]
  logger: Pick<Logger, 'debug' | 'warn'>
  /** How long the connected peers have for one block. */
  peerTimeoutMs: number
  intervalMs?: number | undefined
  /** What Kubo is now: after a restart it may listen elsewhere. */
  onInspected?: (identity: KuboIdentity) => void
}): Bitswap {
  const { kubo, announce, logger, peerTimeoutMs } = options
  const { rpc } = kubo
  const self = options.identity.peerId
  const allowPeer = (peerId: string) => peerId !== self && options.allowPeer(peerId)
  const closing = new AbortController()
  let connected: ReadonlySet<string> = new Set()
  let away = false

  const registered = () => options.peers().filter(({ peerId }) => allowPeer(peerId))

  async function look(): Promise<void> {
    const connections = await rpc.connections(closing.signal)
    const peers = [...new Set(connections.map(({ peerId }) => peerId))]
    const strangers = peers.filter((peerId) => !allowPeer(peerId))
    connected = new Set(peers.filter(allowPeer))
    await Promise.all(strangers.map((peerId) => rpc.disconnect(peerId, closing.signal)))
  }

  async function dial(peer: RegisteredPeer, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, AbortSignal.timeout(dialTimeoutMs)])
    const failures: unknown[] = []
    for (const address of peer.addresses.flatMap((text) => dialable(text, peer.peerId))) {
      try {
        await rpc.connect(address, either)
        connected = new Set([...connected, peer.peerId])
        return
      } catch (error) {
        either.throwIfAborted()
        failures.push(error)
      }
    }
    throw new AggregateError(failures, `no address of ${peer.peerId} answers`)
  }

  async function request(cid: string, prefer: readonly string[], signal: AbortSignal): Promise<Uint8Array> {
    const missing = registered().filter(({ peerId }) => prefer.includes(peerId) && !connected.has(peerId))
    await Promise.allSettled(missing.map((peer) => dial(peer, signal)))
    signal.throwIfAborted()
    if (connected.size === 0) throw new BlockUnavailable(cid, 'no registered peer is connected')
    const patience = AbortSignal.timeout(peerTimeoutMs)
    try {
      return await rpc.fetch(cid, AbortSignal.any([signal, patience]))
    } catch (error) {
      signal.throwIfAborted()
      if (!patience.aborted) throw error
      const why = `none of ${connected.size} registered peers gave it to Kubo in ${peerTimeoutMs} ms`
      throw new BlockUnavailable(cid, why, { cause: error })
    }
  }

  const redialling = keepConnected({
    peers: () => (away ? [] : registered()),
    isConnected: (peerId) => connected.has(peerId),
    dial,
    async dropUnregistered() {
      try {
        // Its settings are looked at as often: after a restart they may be others.
        options.onInspected?.(await kubo.inspect())
        await look()
        away = false
      } catch (err) {
        // Whoever looks at Kubo says what is wrong with it, once.
        logger.debug({ err }, 'the connections of Kubo cannot be looked at')
        away = true
        connected = new Set()
      }
    },
    logger,
    intervalMs: options.intervalMs ?? defaultIntervalMs,
  })

  return {
    addresses: () => announce.flatMap((text) => dialable(text, self)),
    connectedPeers: () => [...connected],
    request: inTurn(request, { atOnce: wantsInFlight, closing: closing.signal }),
    async close() {
      closing.abort(new DOMException('the node is closing', 'AbortError'))
      await redialling.close()
    },
  }
}

/** An address with its peer id, or nothing where it is not plain TCP: through a relay nobody is to be reached. */
function dialable(text: string, peerId: string): string[] {
  try {
    const address = multiaddr(text)
    if (!isPlainTcp(address)) return []
    const named = address.getComponents().some(({ name }) => name === 'p2p')
    return [named ? text : `${text}/p2p/${peerId}`]
  } catch (error) {
    // What stands in the registry is for others to write.
    if (error instanceof Error) return []
    throw error
  }
}
