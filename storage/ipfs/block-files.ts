import { mkdir, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { moveDurably, syncDirectory, writeSynced } from './durable-file.ts'
import { StorageFull } from './ipfs-node.ts'
import { openQuarantine } from './quarantine.ts'

/**
 * Blocks as files, each named by its CID under `blocks/<shard>/`. This part knows disks, not hashes: it writes so
 * that nothing acknowledged is lost and nothing half-written is ever seen.
 */
export type BlockFiles = {
  readonly shards: readonly string[]
  /** The directory a block belongs into. */
  shardOf(cid: string): string
  read(cid: string): Promise<Uint8Array | null>
  /**
   * The beginning of the file, as much as one read puts into `buffer`: all of it when it fits and the disk gives it at
   * once, as a file's commonly is. For those who find out by the hash, and then look again with `read`.
   */
  readInto(cid: string, buffer: Uint8Array): Promise<Uint8Array | null>
  stat(cid: string): Promise<{ bytes: number; storedAtMs: number } | null>
  /** Replaces or makes the file. Resolves when it survives a power cut. @throws StorageFull */
  write(cid: string, bytes: Uint8Array): Promise<void>
  /** Makes a file that is here already count as stored now, and durable if it was not. */
  renew(cid: string, now: number): Promise<void>
  remove(cid: string): Promise<void>
  /** Moves the file out of the store, to be looked at by a person. */
  quarantine(cid: string): Promise<void>
  /** Names of all files in a shard. */
  list(shard: string): Promise<string[]>
}

const base32 = 'abcdefghijklmnopqrstuvwxyz234567'

/**
 * 1,024 directories hold ten million blocks at ten thousand each. Taken from the end of the name, where hashes are
 * even, but not from its last letter, which carries only some bits.
 */
const shards: readonly string[] = [...base32].flatMap((first) => [...base32].map((second) => first + second))

/** Opens the store, making what is not there, and clears what a crash left half-written. */
export async function openBlockFiles(directory: string): Promise<BlockFiles> {
  const root = join(directory, 'blocks')
  const incoming = join(directory, 'incoming')
  await rm(incoming, { recursive: true, force: true })
  await mkdir(incoming, { recursive: true })
  const quarantine = await openQuarantine(directory)
  await mkdir(root, { recursive: true })
  await syncDirectory(directory)

  const shardOf = (cid: string) => cid.slice(-3, -1)
  const pathOf = (cid: string) => join(root, shardOf(cid), cid)
  const made = new Map<string, Promise<void>>()
  for (const shard of await readdir(root)) made.set(shard, Promise.resolve())
  let sequence = 0

  /** A directory is made when its first block comes, once, and is on the disk before the block is. */
  async function makeShard(shard: string): Promise<void> {
    let making = made.get(shard)
    if (making === undefined) {
      making = mkdir(join(root, shard), { recursive: true }).then(() => syncDirectory(root))
      made.set(shard, making)
      making.catch(() => made.delete(shard))
    }
    await making
  }

  return {
    shards,
    shardOf,
    read: (cid) => absentAsNull(readFile(pathOf(cid))),
    async readInto(cid, buffer) {
      const file = await absentAsNull(open(pathOf(cid)))
      if (file === null) return null
      try {
        const { bytesRead } = await file.read(buffer)
        return buffer.subarray(0, bytesRead)
      } finally {
        await file.close()
      }
    },
    async stat(cid) {
      const found = await absentAsNull(stat(pathOf(cid)))
      return found && { bytes: found.size, storedAtMs: Math.floor(found.mtimeMs) }
    },
    async write(cid, bytes) {
      sequence += 1
      const temporary = join(incoming, `${cid}-${sequence}`)
      try {
        // Side by side, since each waits for the disk.
        const steps = await Promise.allSettled([makeShard(shardOf(cid)), writeSynced(temporary, bytes)])
        for (const step of steps) if (step.status === 'rejected') throw step.reason
        await moveDurably(temporary, pathOf(cid), join(root, shardOf(cid)))
      } catch (error) {
        await rm(temporary, { force: true })
        throw isFull(error) ? new StorageFull({ cause: error }) : error
      }
    },
    async renew(cid, now) {
      await utimes(pathOf(cid), now / 1000, now / 1000)
      await syncDirectory(join(root, shardOf(cid)))
    },
    remove: (cid) => rm(pathOf(cid), { force: true }),
    quarantine: (cid) => quarantine.move(cid, pathOf(cid)),
    list: async (shard) => (made.has(shard) ? readdir(join(root, shard)) : []),
  }
}

async function absentAsNull<Result>(work: Promise<Result>): Promise<Result | null> {
  try {
    return await work
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}

function isFull(error: unknown): boolean {
  return hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
