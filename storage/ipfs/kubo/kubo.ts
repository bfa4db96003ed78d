import { mkdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import type { Sqlite } from '@hexachord/platform/sqlite'
import { claimStore } from '../claim-store.ts'
import { type ConnectedIpfs, composeNode } from '../compose-node.ts'
import { lockDirectory } from '../directory-lock.ts'
import type { RegisteredPeer } from '../ipfs-node.ts'
import { createPinTable } from '../pin-table.ts'
import { openQuarantine } from '../quarantine.ts'
import { openFrontDoor } from './front-door.ts'
import { createHeldBlocks } from './held-blocks.ts'
import { createKuboStore } from './kubo-store.ts'
import { KuboUnavailable } from './rpc-failure.ts'
import { guardKubo, type KuboAddress, type KuboIdentity, type SoundKubo } from './sound-kubo.ts'
import { joinSwarm } from './swarm.ts'

export type KuboIpfsOptions = {
  /** Where Kubo's RPC is, and the secret that it asks for. */
  readonly kubo: KuboAddress
  /** Holds the quarantine and the lock. One process at a time. */
  readonly directory: string
  /** Holds pins, leases and the times of puts; opened with `ipfsMigrations` among its own. */
  readonly database: Sqlite
  /** Where other nodes reach Kubo through this one. @default nowhere */
  readonly listen?: { readonly host: string; readonly port: number } | undefined
  /** Multiaddrs by which they do, where these are others. @default as of `listen` */
  readonly announce?: readonly string[] | undefined
  /** Whether a peer may be connected to Kubo. Asked when it comes, and every second. @default nobody */
  readonly allowPeer?: ((peerId: string) => boolean) | undefined
  /** Peers to keep Kubo connected to. @default none */
  readonly peers?: (() => readonly RegisteredPeer[]) | undefined
  /** How long the peers have for one block, in ms. @default 12 s */
  readonly peerTimeoutMs?: number | undefined
  /** How long one call to Kubo may take, in ms. @default 30 s */
  readonly callTimeoutMs?: number | undefined
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
  /** Ends the waiting for a Kubo that is not there yet. */
  readonly signal?: AbortSignal | undefined
  /** ms since 1970. @default Date.now */
  readonly now?: (() => number) | undefined
}

const defaultPeerTimeoutMs = 12_000

/** How often a Kubo that is not there yet is looked for. */
const waitMs = 1_000

/**
 * An IPFS node that stands on a Kubo: the daemon has the blocks and speaks bitswap; pins, leases and the times of
 * puts are this process's, in SQLite, as with the embedded backend. See `createKuboStore` for how `ipfs repo gc` is kept
 * off them, `requirements` for how Kubo has to be set, and `joinSwarm` and `openFrontDoor` for whom it talks to.
 *
 * Waits for a Kubo that does not answer. While it is away later on, calls reject with KuboUnavailable and work
 * again when it is back.
 * @throws KuboMisconfigured with the commands to type; KuboRefused; OtherKubo; StoreTaken; DirectoryLocked; what listening
 * throws
 */
export async function createKuboIpfs(options: KuboIpfsOptions): Promise<ConnectedIpfs> {
  const { directory, database, logger } = options
  const now = options.now ?? Date.now
  await mkdir(directory, { recursive: true })
  const lock = lockDirectory(directory)
  try {
    let expectedPeerId: string | undefined
    const kubo = guardKubo(options.kubo, {
      expectedPeerId: () => expectedPeerId,
      logger,
      timeoutMs: options.callTimeoutMs,
    })
    let identity = await waitFor(kubo, options.signal)
    claimStore(database, 'kubo', identity.peerId)
    expectedPeerId = identity.peerId
    const quarantine = await openQuarantine(directory)
    const store = createKuboStore({
      rpc: kubo.rpc,
      held: createHeldBlocks(database),
      now,
      async quarantine(cid, bytes) {
        await quarantine.save(cid, bytes)
        logger.error({ cid }, 'corrupt block moved into quarantine')
      },
    })
    const allowPeer = options.allowPeer ?? (() => false)
    const door =
      options.listen &&
      (await openFrontDoor({
        ...{ listen: options.listen, allowPeer, logger },
        kuboPort: () => identity.swarmPort,
        connections: (signal) => kubo.rpc.connections(signal),
      }))
    const swarm = joinSwarm({
      ...{ kubo, identity, allowPeer, logger },
      announce: options.announce?.length ? options.announce : (door?.addresses ?? []),
      peers: options.peers ?? (() => []),
      peerTimeoutMs: options.peerTimeoutMs ?? defaultPeerTimeoutMs,
      onInspected: (found) => {
        identity = found
      },
    })
    return composeNode({
      peerId: identity.peerId,
      store,
      table: createPinTable(database, now),
      bitswap: swarm,
      now,
      async check(signal) {
        await kubo.rpc.identity(signal)
      },
      async release() {
        await door?.close()
        lock.release()
      },
    })
  } catch (error) {
    lock.release()
    throw error
  }
}

async function waitFor(kubo: SoundKubo, signal: AbortSignal | undefined): Promise<KuboIdentity> {
  for (;;) {
    signal?.throwIfAborted()
    try {
      return await kubo.inspect()
    } catch (error) {
      if (!(error instanceof KuboUnavailable)) throw error
    }
    await delay(waitMs, undefined, signal === undefined ? {} : { signal })
  }
}
