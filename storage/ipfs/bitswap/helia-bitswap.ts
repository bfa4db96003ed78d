import { withBitswap } from '@helia/bitswap'
import type { BlockBroker, CreateSessionOptions, HeliaMixin } from '@helia/interface'
import { maximumBlockBytes } from '@hexachord/protocol/cids'
import { stop } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import type { BlockSource } from './block-source.ts'

/** Helia's bitswap, serving a node's blocks and asking chosen peers for theirs. */
export type HeliaBitswap = {
  /**
   * One block from one connected peer, its hash checked.
   * @throws when the peer says that it has not got it, or when `signal` is aborted
   */
  ask(peer: CID, block: string, signal: AbortSignal): Promise<Uint8Array>
  stop(): Promise<void>
}

/**
 * A message holds one block of any size. Not less: a block that fits into no message is never sent, and the sender
 * would make empty messages for ever. Not the default of 4 MiB either: a smaller message lets the receiver hold up
 * the sender.
 */
const messageBytes = maximumBlockBytes + 4 * 1024

/** Wants kept per peer: what they name is read into memory together when a peer asks for it at once. */
const wantsPerPeer = 128

/**
 * When to ask again where no answer came. A peer that sent us the block before takes the first question for an
 * echo and only forgets having sent it; one whose answer broke off on its way takes every question for an echo in the
 * first 5 s. Asking again while an answer is under way does not make it come twice.
 */
const repeatAfterMs = [1_000, 7_000, 8_000]

/**
 * Starts bitswap on a libp2p node that is not started yet.
 *
 * Helia's own node class is left out: it would add a second block store, pins that lose shared blocks, and the code
 * of WebRTC and the DHT, for none of which there is a use here. What `withBitswap` reads of it is this.
 */
export async function startHeliaBitswap(libp2p: Libp2p, blockstore: BlockSource): Promise<HeliaBitswap> {
  const host = new BitswapHost(libp2p, blockstore)
  const init = { maxOutgoingMessageSize: messageBytes, maxWantListSize: wantsPerPeer }
  withBitswap(host as unknown as Parameters<typeof withBitswap>[0], init)
  const broker = await host.start()

  function askOnce(peer: CID, block: CID, signal: AbortSignal): Promise<Uint8Array> {
    const session = broker.createSession({ providers: [peer], minProviders: 1, maxProviders: 1 })
    return session.retrieve(block, { signal })
  }

  return {
    async ask(peer, block, signal) {
      const answer = Promise.withResolvers<Uint8Array>()
      const answered = new AbortController()
      const patience = AbortSignal.any([signal, answered.signal])
      const ask = () => {
        askOnce(peer, CID.parse(block), patience).then(answer.resolve, answer.reject)
      }
      const repeats = repeatAfterMs.map((ms) => setTimeout(ask, ms))
      ask()
      try {
        return await answer.promise
      } finally {
        for (const repeat of repeats) clearTimeout(repeat)
        answered.abort()
      }
    },
    stop: () => stop(broker),
  }
}

/** What bitswap's broker can do of all that a broker may. */
type BitswapBroker = {
  createSession(options: CreateSessionOptions): Required<Pick<BlockBroker, 'retrieve'>>
}

class BitswapHost {
  readonly status = 'starting'
  readonly libp2p: Libp2p
  readonly blockstore: BlockSource
  readonly logger: Libp2p['logger']
  /** Peers are known from the registry; there is nothing to look up. */
  readonly routing = { async *findProviders() {} }
  readonly getHasher = () => sha256
  #mixin: HeliaMixin | undefined
  #broker: BlockBroker | undefined

  constructor(libp2p: Libp2p, blockstore: BlockSource) {
    this.libp2p = libp2p
    this.blockstore = blockstore
    this.logger = libp2p.logger
  }

  addMixin(mixin: HeliaMixin): void {
    this.#mixin = mixin
  }

  hasBlockBroker(): boolean {
    return this.#broker !== undefined
  }

  addBlockBroker(broker: BlockBroker): void {
    this.#broker = broker
  }

  /** Lets the mixin make its broker and start it. */
  async start(): Promise<BitswapBroker> {
    await this.#mixin?.start?.(this as never)
    const broker = this.#broker
    if (broker?.createSession === undefined) {
      throw new TypeError('this version of @helia/bitswap starts in another way')
    }
    return broker as BitswapBroker
  }
}
