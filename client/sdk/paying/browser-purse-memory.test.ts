import { tillJson } from '@hexachord/protocol/payments'
import { describe, expect, test } from '@jest/globals'
import { IDBFactory } from 'fake-indexeddb'
import { listener, subject } from '../fixtures/index.ts'
import { browserPurseMemory, emptyState, type PurseMemory, type Receipt, receiptsCsv } from './index.ts'

/** What pages of one origin share. */
function browser() {
  const items = new Map<string, string>()
  const window = {
    indexedDB: new IDBFactory(),
    localStorage: { getItem: (key: string) => items.get(key) ?? null },
  }
  return { items, window, open: (name: string = listener.address) => browserPurseMemory(name, window) }
}

const keep = (memory: PurseMemory, receipts: readonly Receipt[]) => memory.update((state) => state, receipts)

const node = `0x${'ab'.repeat(20)}` as const
const receipt = { atMs: 0, track: subject, unit: 3, node, curator: node, amount: 2n ** 70n }

describe('a purse in a browser', () => {
  test('is there when the page is opened again, for its key alone', async () => {
    const { open } = browser()
    await open().update((state) => ({ ...state, homes: [node] }), [receipt])
    expect((await open().load()).homes).toEqual([node])
    expect(await open().receipts()).toEqual([receipt])
    expect((await open('another').load()).homes).toEqual([])
  })

  test('is changed by one page at a time', async () => {
    const { open } = browser()
    const add = async () => {
      await open().update(async (state) => {
        const { hour } = state.spent
        await Promise.resolve()
        return { ...state, spent: { ...state.spent, hour: { ...hour, amount: hour.amount + 1n } } }
      })
    }
    await Promise.all(Array.from({ length: 10 }, add))
    expect((await open().load()).spent.hour.amount).toBe(10n)
  })

  test('is changed from what another page has written, however much that was', async () => {
    const { open } = browser()
    const [one, two] = [open(), open()]
    const counting = (memory: PurseMemory, seen: bigint[]) =>
      memory.update((state) => {
        const { hour } = state.spent
        seen.push(hour.amount)
        return { ...state, spent: { ...state.spent, hour: { ...hour, amount: hour.amount + 1n } } }
      })
    const seen: bigint[] = []
    await counting(one, seen)
    for (let time = 0; time < 3; time += 1) await counting(two, [])
    await counting(one, seen)
    // What it knew, and then what is kept.
    expect(seen).toEqual([0n, 1n, 4n])
    expect((await two.load()).spent.hour.amount).toBe(5n)
  })

  test('refuses nothing for what it was before another page changed it, and all else at once', async () => {
    const { open } = browser()
    const [one, two] = [open(), open()]
    const spend = (memory: PurseMemory) =>
      memory.update(
        (state) => {
          if (state.budget.perHour === 0n) throw new RangeError('too much')
          return state
        },
        [receipt],
      )
    const limit = (memory: PurseMemory, perHour: bigint | null) =>
      memory.update((state) => ({ ...state, budget: { perHour, perMonth: null } }))
    await limit(one, 0n)
    await expect(spend(one)).rejects.toThrow(RangeError)
    await limit(two, null)
    await spend(one)
    await limit(two, 0n)
    // What it knows would allow it.
    await expect(spend(one)).rejects.toThrow(RangeError)
    expect(await open().receipts()).toHaveLength(1)
  })

  test('is changed also by a signer that takes its time', async () => {
    const { open } = browser()
    const slowly = (memory: PurseMemory, home: typeof node) =>
      memory.update(
        async (state) => {
          await new Promise((resolve) => setTimeout(resolve, 20))
          return { ...state, homes: [...state.homes, home] }
        },
        [receipt],
      )
    await Promise.all([slowly(open(), node), slowly(open(), listener.address)])
    expect((await open().load()).homes).toEqual([node, listener.address])
    expect(await open().receipts()).toHaveLength(2)
  })

  test('keeps the newest receipts', async () => {
    const { open } = browser()
    await keep(
      open(),
      Array.from({ length: 5_001 }, (_, unit) => ({ ...receipt, unit })),
    )
    const kept = await open().receipts()
    expect([kept.length, kept[0]?.unit]).toEqual([5_000, 1])
  })

  test('adds receipts one by one and drops the oldest, however they come', async () => {
    const { open } = browser()
    const memory = open()
    await keep(
      memory,
      Array.from({ length: 4_999 }, (_, unit) => ({ ...receipt, unit })),
    )
    for (const unit of [4_999, 5_000, 5_001]) await keep(memory, [{ ...receipt, unit }])
    const kept = (await open().receipts()).map(({ unit }) => unit)
    expect(kept).toEqual(Array.from({ length: 5_000 }, (_, at) => 2 + at))
  })

  test('reads receipts that were kept in Web Storage before, until newer ones fill their place', async () => {
    const { items, open } = browser()
    const old = Array.from({ length: 5_000 }, (_, unit) => ({ ...receipt, unit }))
    items.set(`hexachord receipts ${listener.address}`, tillJson(old))
    const add = (count: number, first: number) =>
      keep(
        open(),
        Array.from({ length: count }, (_, at) => ({ ...receipt, unit: first + at })),
      )
    await add(3, 5_000)
    const units = async () => (await open().receipts()).map(({ unit }) => unit)
    expect(await units()).toEqual(Array.from({ length: 5_000 }, (_, at) => 3 + at))
    await add(5_000, 5_003)
    expect(await units()).toEqual(Array.from({ length: 5_000 }, (_, at) => 5_003 + at))
  })

  test('loses no receipt of pages that pay at the same time', async () => {
    const { open } = browser()
    await Promise.all(Array.from({ length: 120 }, (_, unit) => keep(open(), [{ ...receipt, unit }, receipt])))
    expect(await open().receipts()).toHaveLength(240)
  })

  test('goes on from what was kept in Web Storage before, and never again from that', async () => {
    const { items, open } = browser()
    const key = `hexachord purse ${listener.address}`
    items.set(key, tillJson({ ...emptyState(), homes: [node] }))
    expect((await open().load()).homes).toEqual([node])
    await open().update((state) => ({ ...state, homes: [...state.homes, listener.address] }))
    items.set(key, tillJson(emptyState()))
    expect((await open().load()).homes).toEqual([node, listener.address])
  })

  test('goes on from what a database of the first version kept', async () => {
    const { window, open } = browser()
    const name = `hexachord purse ${listener.address}`
    await new Promise<void>((resolve, reject) => {
      const opening = window.indexedDB.open(name, 1)
      opening.onerror = () => reject(opening.error)
      opening.onupgradeneeded = () => {
        const { result } = opening
        result.createObjectStore('state').put(tillJson({ ...emptyState(), homes: [node] }), 'state')
        result.createObjectStore('receipts', { autoIncrement: true }).add(tillJson(receipt))
      }
      opening.onsuccess = () => {
        opening.result.close()
        resolve()
      }
    })
    await keep(open(), [receipt])
    expect((await open().load()).homes).toEqual([node])
    expect(await open().receipts()).toEqual([receipt, receipt])
  })

  test('is there for a page whose connection to it was ended', async () => {
    const { window, open } = browser()
    const memory = open()
    await memory.update((state) => ({ ...state, homes: [node] }))
    await new Promise((resolve) => {
      window.indexedDB.deleteDatabase(`hexachord purse ${listener.address}`).onsuccess = resolve
    })
    expect((await memory.load()).homes).toEqual([])
    await memory.update((state) => ({ ...state, homes: [node] }))
    expect((await open().load()).homes).toEqual([node])
    // What a page wrote after that counts, also where it has come as far as the one before.
    await open().update((state) => ({ ...state, homes: [] }))
    await memory.update((state) => state)
    expect((await open().load()).homes).toEqual([])
  })

  test('is not used when it is damaged', async () => {
    const { items, open } = browser()
    items.set(`hexachord purse ${listener.address}`, '{"version":1}')
    await expect(open().load()).rejects.toThrow()
    await expect(open().update((state) => state)).rejects.toThrow()
  })
})

describe('receipts', () => {
  test('are a table for a spreadsheet', () => {
    expect(receiptsCsv([receipt], (amount) => amount.toString())).toBe(
      `time,track,unit,node,curator,amount\r\n1970-01-01T00:00:00.000Z,${subject},3,${node},${node},${2n ** 70n}\r\n`,
    )
  })
})
