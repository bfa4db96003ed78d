import { describe, expect, test } from '@jest/globals'
import { listener, subject } from '../fixtures/index.ts'
import { browserPurseMemory, receiptsCsv } from './index.ts'

/** Web Storage of one origin, and locks of its pages. */
function browser() {
  const items = new Map<string, string>()
  const storage = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
  }
  const held = new Map<string, Promise<unknown>>()
  const locks = {
    request<Value>(name: string, callback: () => Promise<Value>): Promise<Value> {
      const next = (held.get(name) ?? Promise.resolve()).then(callback)
      held.set(
        name,
        next.catch(() => undefined),
      )
      return next
    },
  }
  return { items, open: (name: string = listener.address) => browserPurseMemory(name, storage, locks) }
}

const node = `0x${'ab'.repeat(20)}` as const
const receipt = { atMs: 0, track: subject, unit: 3, node, curator: node, amount: 2n ** 70n }

describe('a purse in a browser', () => {
  test('is there when the page is opened again, for its key alone', async () => {
    const { open } = browser()
    await open().update((state) => ({ ...state, homes: [node] }))
    await open().keepReceipts([receipt])
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

  test('keeps the newest receipts', async () => {
    const { open } = browser()
    await open().keepReceipts(Array.from({ length: 5_001 }, (_, unit) => ({ ...receipt, unit })))
    const kept = await open().receipts()
    expect([kept.length, kept[0]?.unit]).toEqual([5_000, 1])
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
