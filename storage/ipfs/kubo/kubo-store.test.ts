import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { cidOf } from '@hexachord/protocol/cids'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { BlockStore } from '../block-store.ts'
import { collectBlocks } from '../collection.ts'
import { ipfsMigrations } from '../index.ts'
import { createPinTable } from '../pin-table.ts'
import { createHeldBlocks } from './held-blocks.ts'
import { createKuboStore } from './kubo-store.ts'
import type { KuboRpc } from './rpc.ts'

const text = (words: string) => new TextEncoder().encode(words)

// What a real Kubo cannot be made to do at will; all else is tested with a real one.
describe('blocks in a Kubo that fails between two calls', () => {
  let database: Sqlite
  let blocks: Map<string, Uint8Array>
  let pins: Set<string>
  let rpc: KuboRpc
  let store: BlockStore

  const unused = async () => {
    throw new Error('the store has no business with the swarm')
  }

  beforeEach(() => {
    database = openSqlite(':memory:', { migrations: ipfsMigrations })
    blocks = new Map()
    pins = new Set()
    rpc = {
      url: 'http://127.0.0.1:5001',
      ...{ identity: unused, config: unused, fetch: unused, connections: unused },
      ...{ connect: unused, disconnect: unused },
      async put(bytes) {
        const cid = await cidOf(bytes, 'raw')
        blocks.set(cid, bytes)
        return cid
      },
      get: async (cid) => blocks.get(cid) ?? null,
      size: async (cid) => blocks.get(cid)?.length ?? null,
      async remove(cid) {
        if (!pins.has(cid)) blocks.delete(cid)
      },
      async pin(cid) {
        if (blocks.has(cid)) pins.add(cid)
        return blocks.has(cid)
      },
      async unpin(cid) {
        pins.delete(cid)
      },
    }
    store = createKuboStore({
      rpc,
      held: createHeldBlocks(database),
      now: Date.now,
      quarantine: async () => {},
    })
  })
  afterEach(() => database.close())

  const collect = () => collectBlocks(store, createPinTable(database, Date.now), Date.now, { graceMs: 0 })

  /** Lets a call of Kubo's do something else the first time. */
  function once<Name extends 'put' | 'pin'>(name: Name, instead: KuboRpc[Name]): void {
    const usual = rpc[name]
    rpc[name] = ((...args: Parameters<KuboRpc[Name]>) => {
      rpc[name] = usual
      return (instead as (...given: typeof args) => ReturnType<KuboRpc[Name]>)(...args)
    }) as KuboRpc[Name]
  }

  test('a block that a collection of Kubo takes before it is pinned is put again', async () => {
    once('pin', async (cid) => {
      blocks.delete(cid)
      return false
    })
    const cid = await store.put(text('taken'), 'raw')
    expect(await store.verify(cid)).toBe('ok')
    expect(pins).toEqual(new Set([cid]))
  })

  test('a put is not acknowledged before the pin is; what it left goes with the next collection', async () => {
    once('pin', async (cid) => {
      pins.add(cid)
      throw new Error('cut off')
    })
    await expect(store.put(text('half done'), 'raw')).rejects.toThrow('cut off')
    expect(blocks.size).toBe(1)
    expect(await collect()).toMatchObject({ removed: 1 })
    expect([blocks.size, pins.size]).toEqual([0, 0])
    expect(await store.usage()).toEqual({ blocks: 0, bytes: 0 })
  })

  test('a Kubo that names a block otherwise is not believed', async () => {
    once('put', async () => cidOf(text('something else'), 'raw'))
    await expect(store.put(text('mine'), 'raw')).rejects.toThrow(/named a block/)
  })

  test('a block that Kubo has lost is no longer counted once that is noticed', async () => {
    const cid = await store.put(text('lost'), 'raw')
    blocks.clear()
    expect(await store.verify(cid)).toBe('missing')
    expect(await store.usage()).toEqual({ blocks: 0, bytes: 0 })
    expect(pins.size).toBe(0)
  })

  test('a block is the same under either codec, and is held as long as one of them is needed', async () => {
    const cid = await store.put(text('{}'), 'dag-json')
    const raw = await cidOf(text('{}'), 'raw')
    expect(await store.has(raw)).toBe(true)
    createPinTable(database, Date.now).add(raw, [raw], { blocks: 1, bytes: 2 })
    expect(await collect()).toMatchObject({ removed: 0 })
    expect(await store.verify(cid)).toBe('ok')
  })
})
