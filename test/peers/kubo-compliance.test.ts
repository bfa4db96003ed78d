import path from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { parseCid } from '@hexachord/protocol/cids'
import { makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { ipfsMigrations } from '@hexachord/storage/ipfs'
import { afterAll, beforeAll, describe, test } from '@jest/globals'
import { ipfsNodeCompliance, type NodeUnderTest } from '../../storage/ipfs/compliance.ts'
import { createKuboIpfs } from '../../storage/ipfs/kubo/kubo.ts'
import { whyMissing } from './debian.ts'
import { bringKubo } from './kubo/bring-kubo.ts'
import { initKubo, type Kubo } from './kubo/start-kubo.ts'

const kuboProgram = await bringKubo()
const logger = createLogger({ service: 'test', level: 'silent' })

let folder: TemporaryFolder
let kubo: Kubo
let made = 0

/** All nodes of this file stand on one Kubo, one after the other, and leave it empty. */
async function kuboUnderTest(): Promise<NodeUnderTest> {
  made += 1
  const directory = path.join(folder.path, `node-${made}`)
  const database = openSqlite(':memory:', { migrations: ipfsMigrations })
  let ahead = 0
  const openNode = () =>
    createKuboIpfs({
      kubo: { url: kubo.apiUrl, secret: kubo.secret },
      ...{ directory, database, logger, now: () => Date.now() + ahead },
    })
  let node = await openNode()
  return {
    get node() {
      return node
    },
    async restart() {
      await node.close()
      await kubo.stop()
      await kubo.start()
      node = await openNode()
      return node
    },
    flipBit: (cid) => kubo.flipBit(parseCid(cid).digest),
    stall: async () => kubo.pause(),
    passTime(ms) {
      ahead += ms
    },
    async destroy() {
      await node.close()
      database.run('DELETE FROM ipfs_pin')
      database.run('DELETE FROM ipfs_lease')
      const last = await openNode()
      await last.collect({ graceMs: 0 })
      await last.close()
      database.close()
    },
  }
}

if ('path' in kuboProgram) {
  beforeAll(async () => {
    folder = await makeTemporaryFolder()
    kubo = await initKubo(kuboProgram.path, folder.path)
    await kubo.closeAndHarden()
    await kubo.start()
  })
  afterAll(async () => {
    await kubo?.stop()
    await folder?.remove()
  })
  ipfsNodeCompliance('the kubo backend', kuboUnderTest, { sequences: 5 })
} else {
  describe('the kubo backend', () => {
    test.skip(`does all that an IPFS node must${whyMissing(kuboProgram)}`, () => {})
  })
}
