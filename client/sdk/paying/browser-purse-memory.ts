import { parsed } from '@hexachord/protocol/checked'
import { tillJson } from '@hexachord/protocol/payments'
import * as z from 'zod'
import { type PurseMemory, type Receipt, receiptSchema } from './purse-memory.ts'
import { emptyState, type PurseState, purseStateSchema } from './purse-state.ts'

/** Receipts that a browser keeps, some months of listening in some megabyte; export them for longer. */
const mostReceipts = 5_000

/** What of a browser's `window` is needed. */
export type PurseBrowser = {
  readonly indexedDB: IDBFactory
  readonly navigator: {
    readonly locks: { request<Value>(name: string, callback: () => Promise<Value>): Promise<Value> }
  }
  /** Where purses were kept before: read, and never written. */
  readonly localStorage: Pick<Storage, 'getItem'>
}

const receiptsSchema = z.array(receiptSchema)

/**
 * Keeps a purse in a browser, in an IndexedDB of its own. Its pages change it in turn, by a lock, and each sees at once what
 * another one has written: Web Storage does not promise that, since each page may have a copy of its own for a moment.
 * Loss of power may take the last seconds of it: the next report of a node brings back what was signed there, with our own
 * signature.
 * @param name of the spending key, such as its address
 * @param browser such as `window`
 */
export function browserPurseMemory(name: string, browser: PurseBrowser): PurseMemory {
  const { indexedDB, localStorage } = browser
  const [stateKey, receiptsKey] = [`hexachord purse ${name}`, `hexachord receipts ${name}`]
  let opened: Promise<IDBDatabase> | undefined

  function database(): Promise<IDBDatabase> {
    opened ??= openDatabase(indexedDB, stateKey, () => {
      opened = undefined
    })
    return opened
  }

  async function begin(): Promise<IDBTransaction> {
    return (await database()).transaction(['state', 'receipts'], 'readwrite')
  }

  async function stateIn(transaction: IDBTransaction): Promise<PurseState> {
    const asked = transaction.objectStore('state').get('state')
    const text = ((await answerOf(asked)) as string | undefined) ?? localStorage.getItem(stateKey)
    return text === null ? emptyState() : parsed(purseStateSchema, JSON.parse(text))
  }

  return {
    load: async () => stateIn((await database()).transaction('state')),
    update: (change, receipts = []) =>
      browser.navigator.locks.request(stateKey, async () => {
        let transaction = await begin()
        const state = await change(await stateIn(transaction))
        try {
          write(transaction, state, receipts)
        } catch (error) {
          // A signer that took its time has outlived the transaction. The lock keeps others away.
          if (!(error instanceof DOMException && ended.includes(error.name))) throw error
          transaction = await begin()
          write(transaction, state, receipts)
        }
        await endOf(transaction)
        return state
      }),
    async receipts() {
      const store = (await database()).transaction('receipts').objectStore('receipts')
      const texts = (await answerOf(store.getAll())) as string[]
      const before = localStorage.getItem(receiptsKey)
      const old: Receipt[] = before === null ? [] : parsed(receiptsSchema, JSON.parse(before))
      return [...old, ...texts.map((text) => parsed(receiptSchema, JSON.parse(text)))].slice(-mostReceipts)
    },
  }
}

const ended = ['TransactionInactiveError', 'InvalidStateError']

function write(transaction: IDBTransaction, state: PurseState, receipts: readonly Receipt[]): void {
  transaction.objectStore('state').put(tillJson(state), 'state')
  if (receipts.length === 0) return
  const store = transaction.objectStore('receipts')
  for (const receipt of receipts) store.add(tillJson(receipt))
  const counting = store.count()
  counting.onsuccess = () => removeOldest(store, counting.result - mostReceipts)
}

function removeOldest(store: IDBObjectStore, count: number): void {
  if (count <= 0) return
  let left = count
  const walking = store.openKeyCursor()
  walking.onsuccess = () => {
    const { result: at } = walking
    if (at === null || left === 0) return
    store.delete(at.key)
    left -= 1
    at.continue()
  }
}

/** @param onGone called when the connection is of no use any more: the user clears what sites have kept */
function openDatabase(indexedDB: IDBFactory, name: string, onGone: () => void): Promise<IDBDatabase> {
  const opening = indexedDB.open(name, 1)
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore('state')
    opening.result.createObjectStore('receipts', { autoIncrement: true })
  }
  const answer = answerOf(opening).then((database) => {
    database.onclose = onGone
    database.onversionchange = () => {
      database.close()
      onGone()
    }
    return database
  })
  answer.catch(onGone)
  return answer
}

function answerOf<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Resolves when what was written is there for every page. */
function endOf(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
  })
}
