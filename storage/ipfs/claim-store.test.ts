import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { claimStore, StoreTaken } from './claim-store.ts'
import { ipfsMigrations } from './index.ts'
import { createPinTable } from './pin-table.ts'

const root = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

describe('a database of pins', () => {
  let database: Sqlite
  beforeEach(() => {
    database = openSqlite(':memory:', { migrations: ipfsMigrations })
  })
  afterEach(() => database.close())

  test('stays with the backend that has its blocks', () => {
    claimStore(database, 'kubo', 'one')
    claimStore(database, 'kubo', 'one')
    expect(() => claimStore(database, 'embedded', 'two')).toThrow(/IPFS_BACKEND=kubo/)
  })

  test('stays with the Kubo that has its blocks', () => {
    claimStore(database, 'kubo', 'one')
    expect(() => claimStore(database, 'kubo', 'two')).toThrow(StoreTaken)
  })

  test('is the embedded backend’s, whatever its key, when it has pins from before there was a choice', () => {
    createPinTable(database, Date.now).add(root, [root], { blocks: 1, bytes: 0 })
    expect(() => claimStore(database, 'kubo', 'one')).toThrow(/IPFS_BACKEND=embedded/)
    claimStore(database, 'embedded', 'one')
    claimStore(database, 'embedded', 'two')
  })
})
