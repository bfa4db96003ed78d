import { parsed } from '@hexachord/protocol/checked'
import { tillJson } from '@hexachord/protocol/payments'
import * as z from 'zod'
import { type PurseMemory, receiptSchema } from './purse-memory.ts'
import { emptyState, type PurseState, purseStateSchema } from './purse-state.ts'

/** Receipts that a browser keeps, some months of listening in less than a megabyte; export them for longer. */
const mostReceipts = 5_000

/** What of the Web Storage and Web Locks APIs is needed. */
type WebStorage = Pick<Storage, 'getItem' | 'setItem'>
type WebLocks = {
  request<Value>(name: string, callback: () => Promise<Value>): Promise<Value>
}

const receiptsSchema = z.array(receiptSchema)

/**
 * Keeps a purse in a browser. A browser that crashes may lose the last seconds of it: the next report of a node brings
 * back what was signed there, with our own signature.
 * @param name of the spending key, such as its address
 * @param storage such as `localStorage`
 * @param locks `navigator.locks`, so that two pages do not sign over each other
 */
export function browserPurseMemory(name: string, storage: WebStorage, locks: WebLocks): PurseMemory {
  const [stateKey, receiptsKey] = [`hexachord purse ${name}`, `hexachord receipts ${name}`]

  async function load(): Promise<PurseState> {
    const text = storage.getItem(stateKey)
    return text === null ? emptyState() : parsed(purseStateSchema, JSON.parse(text))
  }

  async function receipts() {
    const text = storage.getItem(receiptsKey)
    return text === null ? [] : parsed(receiptsSchema, JSON.parse(text))
  }

  return {
    load,
    receipts,
    update: (change) =>
      locks.request(stateKey, async () => {
        const state = await change(await load())
        storage.setItem(stateKey, tillJson(state))
        return state
      }),
    keepReceipts: (added) =>
      locks.request(receiptsKey, async () => {
        storage.setItem(receiptsKey, tillJson([...(await receipts()), ...added].slice(-mostReceipts)))
      }),
  }
}
