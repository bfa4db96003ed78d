import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChainReader } from '@hexachord/platform/chain'
import type { HealthCheck } from '@hexachord/platform/http'
import type { Sqlite } from '@hexachord/platform/sqlite'
import type { Catalogue } from '../catalogue/index.ts'
import type { IpfsNode } from '../ipfs/index.ts'

/** Further behind, a node knows the operators, authors and duties of another time. */
const tolerableLagBlocks = 20

/**
 * What `/ready` touches: the disk by a synced write, the database by a read of its file, the chain by its head, and what
 * keeps the blocks.
 */
export function nodeReadiness(options: {
  directory: string
  database: Sqlite
  reader: ChainReader
  catalogue: Catalogue
  ipfs: Pick<IpfsNode, 'check'>
}): Record<string, HealthCheck> {
  const { directory, database, reader, catalogue, ipfs } = options
  return {
    disk: () => writeAndRemove(join(directory, `.ready-${randomUUID()}`)),
    async database() {
      database.get('SELECT count(*) FROM schema_migration')
    },
    ipfs: (signal) => ipfs.check({ signal }),
    async chain() {
      const [chainId, head] = await Promise.all([reader.chainId(), reader.head()])
      const wanted = catalogue.rules.domain.chainId
      if (chainId !== wanted) throw new Error(`RPC_URL is chain ${chainId}, the network is on ${wanted}`)
      const behind = head.number - catalogue.indexed()
      if (behind > tolerableLagBlocks) throw new Error(`${behind} blocks behind the chain, reading on`)
    },
  }
}

async function writeAndRemove(path: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile('ready?')
      await file.sync()
    } finally {
      await file.close()
    }
  } finally {
    await rm(path, { force: true })
  }
}
