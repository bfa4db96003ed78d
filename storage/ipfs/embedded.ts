import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { Bitswap } from './bitswap/index.ts'
import { openBlockFiles } from './block-files.ts'
import { type BlockStore, createBlockStore } from './block-store.ts'
import { type ConnectedIpfs, composeNode } from './compose-node.ts'
import { lockDirectory } from './directory-lock.ts'
import type { RegisteredPeer } from './ipfs-node.ts'
import { loadOrCreatePeerKey } from './peer-key.ts'
import { createPinTable, ipfsMigrations } from './pin-table.ts'

export type EmbeddedIpfsOptions = {
  /** Holds blocks, the peer key and, unless `database` is given, the pins. One process at a time. */
  readonly directory: string
  /** Where to keep pins and leases; opened with `ipfsMigrations` among its own. @default a file in `directory` */
  readonly database?: Sqlite | undefined
  /** Multiaddrs to listen on, IP and TCP. @default a free port on the loopback address */
  readonly listen?: readonly string[] | undefined
  /** Multiaddrs by which others reach what listens here, where these differ. @default none */
  readonly announce?: readonly string[] | undefined
  /** Whether a peer may connect, either way. Asked at each connection and every few seconds. @default nobody */
  readonly allowPeer?: ((peerId: string) => boolean) | undefined
  /** Peers to stay connected to. @default none */
  readonly peers?: (() => readonly RegisteredPeer[]) | undefined
  /** Whether a block is refused to every peer. @default none is */
  readonly isDenied?: ((cid: string) => boolean) | undefined
  /** Whether to exchange blocks with others at all. @default true */
  readonly bitswap?: boolean | undefined
  /** How long one peer has for one block, in ms; below 8 s a broken answer is not asked for again. @default 12 s */
  readonly peerTimeoutMs?: number | undefined
  /** How often missing connections are considered, in ms. @default 2 s */
  readonly redialIntervalMs?: number | undefined
  readonly logger: Pick<Logger, 'debug' | 'warn' | 'error'>
  /** ms since 1970. @default Date.now */
  readonly now?: (() => number) | undefined
}

const defaultPeerTimeoutMs = 12_000

/**
 * An IPFS node inside this process: blocks as verified, synced files; pins and leases in SQLite; bitswap with
 * registered peers over libp2p.
 * @throws DirectoryLocked when another process has the directory; ListenFailed when the port is taken
 */
export async function createEmbeddedIpfs(options: EmbeddedIpfsOptions): Promise<ConnectedIpfs> {
  const { directory, logger } = options
  const now = options.now ?? Date.now
  const undo: (() => void)[] = []
  const release = async () => {
    for (const step of undo.reverse()) step()
  }
  await mkdir(directory, { recursive: true })
  try {
    const lock = lockDirectory(directory)
    undo.push(() => lock.release())
    const files = await openBlockFiles(directory)
    const privateKey = await loadOrCreatePeerKey(directory)
    const onCorrupt = (cid: string) => logger.error({ cid }, 'corrupt block moved into quarantine')
    const store = createBlockStore({ files, now, onCorrupt })
    const database = options.database ?? openOwnDatabase(directory)
    if (options.database === undefined) undo.push(() => database.close())
    const table = createPinTable(database, now)
    const bitswap = options.bitswap === false ? undefined : await loadBitswap(options, privateKey, store)
    const peerId = peerIdFromPrivateKey(privateKey).toString()
    // Whether its disk takes writes is asked of the whole data directory.
    const check = async () => {}
    return composeNode({ peerId, store, table, bitswap, now, check, release })
  } catch (error) {
    await release()
    throw error
  }
}

function openOwnDatabase(directory: string): Sqlite {
  return openSqlite(join(directory, 'pins.sqlite'), { migrations: ipfsMigrations })
}

async function loadBitswap(
  options: EmbeddedIpfsOptions,
  privateKey: PrivateKey,
  store: BlockStore,
): Promise<Bitswap> {
  // libp2p and its kin take a while and much memory to load: only for those who exchange blocks.
  const { startBitswap } = await import('./bitswap/index.ts')
  return startBitswap({
    privateKey,
    listen: options.listen ?? ['/ip4/127.0.0.1/tcp/0'],
    announce: options.announce ?? [],
    allowPeer: options.allowPeer ?? (() => false),
    peers: options.peers ?? (() => []),
    store,
    isDenied: options.isDenied,
    logger: options.logger,
    peerTimeoutMs: options.peerTimeoutMs ?? defaultPeerTimeoutMs,
    redialIntervalMs: options.redialIntervalMs,
  })
}
