import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { maximumBlockBytes } from '@hexachord/protocol/cids'
import { identify } from '@libp2p/identify'
import type { ConnectionGater, PrivateKey } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createLibp2p, type Libp2p } from 'libp2p'
import { isPlainTcp } from './plain-tcp.ts'

/** Blocks asked for at one time, over all peers. */
export const wantsInFlight = 16

/**
 * A reply can pile up unread on its stream while the event loop is busy, since yamux opens its window by what
 * arrives, not by what is read; a stream that overflows is reset and its blocks are lost in silence. So the buffer
 * holds all that can be on its way to us at once, with room for framing.
 */
const readBufferBytes = (wantsInFlight + 1) * maximumBlockBytes

/** A node under load answers pings late; it is not dead. */
const pingPatienceMs = 20_000

/** Two peers that find each other again may dial at once, a few times; and a whole network may share an address in tests. */
const dialsPerSecondAndHost = 20

/**
 * libp2p with TCP, noise and yamux, and nothing that reaches for the public network: no bootstrap list, no DHT, no
 * mDNS, no relay, no UPnP, no WebRTC, no certificates, no DNS-over-HTTPS. Connections live only between
 * this node and peers that `allowPeer` lets in, whoever dials.
 */
export async function createNetwork(options: {
  privateKey: PrivateKey
  listen: readonly string[]
  announce: readonly string[]
  allowPeer: (peerId: string) => boolean
}): Promise<Libp2p> {
  return createLibp2p({
    start: false,
    privateKey: options.privateKey,
    nodeInfo: { name: 'hexachord', version: '0.1.0', userAgent: 'hexachord/0.1.0' },
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxReadBufferLength: readBufferBytes } })],
    connectionGater: onlyRegistered(options.allowPeer),
    connectionManager: { inboundConnectionThreshold: dialsPerSecondAndHost, resolvers: {} },
    connectionMonitor: { pingTimeout: { minTimeout: pingPatienceMs, maxTimeout: pingPatienceMs } },
    services: { identify: identify(), ping: ping() },
  })
}

function onlyRegistered(allowPeer: (peerId: string) => boolean): ConnectionGater {
  const deny = (peer: { toString(): string }) => !allowPeer(peer.toString())
  return {
    denyDialPeer: deny,
    denyDialMultiaddr: (address) => !isPlainTcp(address),
    denyInboundEncryptedConnection: deny,
    denyOutboundEncryptedConnection: deny,
    denyInboundUpgradedConnection: deny,
    denyOutboundUpgradedConnection: deny,
    denyInboundRelayReservation: () => true,
    denyOutboundRelayedConnection: () => true,
    denyInboundRelayedConnection: () => true,
  }
}
