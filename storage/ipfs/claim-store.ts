import type { Sqlite } from '@hexachord/platform/sqlite'

export type Backend = 'embedded' | 'kubo'

/** The pins of a database are of blocks that are somewhere else. */
export class StoreTaken extends Error {
  override readonly name = 'StoreTaken'
}

/**
 * Binds a database of pins to the place where the blocks are: a pin is worth nothing without them. A database from
 * before there was a choice is the embedded backend's if it has pins.
 * @param peerId of the daemon that has the blocks; the embedded backend's are in the directory, whatever its key
 * @throws StoreTaken when it is bound to another
 */
export function claimStore(database: Sqlite, backend: Backend, peerId: string): void {
  database.transaction(() => {
    const bound = database.get<{ backend: Backend; peerId: string }>(
      'SELECT backend, peer_id AS peerId FROM ipfs_store',
    )
    const pinned = database.get('SELECT 1 FROM ipfs_pin LIMIT 1') !== undefined
    const owner = bound?.backend ?? (pinned ? 'embedded' : backend)
    if (owner !== backend) {
      throw new StoreTaken(
        `the blocks of this DATA_DIR are with IPFS_BACKEND=${owner}: set it so again, or start with an empty DATA_DIR and let the network give the blocks anew`,
      )
    }
    if (backend === 'kubo' && bound !== undefined && bound.peerId !== peerId) {
      throw new StoreTaken(
        `the blocks of this DATA_DIR are with the IPFS node ${bound.peerId}, not with ${peerId}: start that one, or start with an empty DATA_DIR and let the network give the blocks anew`,
      )
    }
    database.run(
      'INSERT INTO ipfs_store (id, backend, peer_id) VALUES (1, ?, ?) ON CONFLICT (id) DO NOTHING',
      backend,
      peerId,
    )
  })
}
