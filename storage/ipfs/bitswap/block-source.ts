import { isCid } from '@hexachord/protocol/cids'
import { BaseBlockstore } from 'blockstore-core/base'
import type { CID } from 'multiformats/cid'
import type { BlockStore } from '../block-store.ts'
import { BlockNotFound } from '../ipfs-node.ts'

/**
 * The node's blocks as bitswap wants to read them. Every block sent was hashed on its way from the disk. Bitswap
 * gets no way to write: what it receives goes through `putVerified`. What the operator refuses to serve is not here.
 */
export class BlockSource extends BaseBlockstore {
  readonly #store: Pick<BlockStore, 'get' | 'has'>
  readonly #isDenied: (cid: string) => boolean

  constructor(store: Pick<BlockStore, 'get' | 'has'>, isDenied: (cid: string) => boolean = () => false) {
    super()
    this.#store = store
    this.#isDenied = isDenied
  }

  override async has(cid: CID): Promise<boolean> {
    // Peers may ask for any CID there is; of kinds that are not ours we have none.
    const name = cid.toString()
    return isCid(name) && !this.#isDenied(name) && (await this.#store.has(name))
  }

  override async *get(cid: CID): AsyncGenerator<Uint8Array> {
    const name = cid.toString()
    if (this.#isDenied(name)) throw new NotFoundError(name)
    try {
      yield await this.#store.get(name)
    } catch (error) {
      if (error instanceof BlockNotFound) throw new NotFoundError(name)
      throw error
    }
  }
}

/** Bitswap tells a missing block from a broken store by this name. */
class NotFoundError extends Error {
  override readonly name = 'NotFoundError'
}
