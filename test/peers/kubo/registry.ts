import type { RegisteredPeer } from '@hexachord/storage/ipfs'

/** A registry of peers as nodes are given it, kept by a test. */
export type TestRegistry = {
  readonly allowPeer: (peerId: string) => boolean
  readonly peers: () => readonly RegisteredPeer[]
  register(peer: RegisteredPeer): void
  remove(peerId: string): void
}

export function createTestRegistry(): TestRegistry {
  const registered = new Map<string, RegisteredPeer>()
  return {
    allowPeer: (peerId) => registered.has(peerId),
    peers: () => [...registered.values()],
    register: (peer) => registered.set(peer.peerId, peer),
    remove: (peerId) => registered.delete(peerId),
  }
}
