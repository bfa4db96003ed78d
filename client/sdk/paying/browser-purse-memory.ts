import { parsed } from '@hexachord/protocol/checked'
import { tillJson } from '@hexachord/protocol/payments'
import * as z from 'zod'
import { type PurseMemory, type Receipt, receiptSchema } from './purse-memory.ts'
import { emptyState, type PurseState, purseStateSchema } from './purse-state.ts'

/** Receipts that a browser keeps, some months of listening in some megabyte; export them for longer. */
const mostReceipts = 5_000

/** The oldest are dropped now and then: to count them takes a while. */
const receiptsBetweenDrops = 500

/** What of a browser's `window` is needed. */
export type PurseBrowser = {
  readonly indexedDB: IDBFactory
  /** Where purses were kept before: read, and never written. */
  readonly localStorage: Pick<Storage, 'getItem'>
}

const receiptsSchema = z.array(receiptSchema)

/** What is kept at one time. Each that follows has the next number. */
type Kept = { readonly number: number; readonly state: PurseState }

/**
 * Keeps a purse in a browser, in an IndexedDB of its own. Each of its pages changes what it knows, and writes that in place
 * of it; where another page has done so meanwhile, nothing is written, and it begins anew from there. So nobody waits for
 * anybody, and whoever pays waits for its database once.
 * Loss of power may take the last seconds of it, as browsers do not wait for their disks: the next report of a node brings
 * back what was signed there, with our own signature; a budget and the receipts miss what was paid in these seconds.
 * @param name of the spending key, such as its address
 * @param browser such as `window`
 */
export function browserPurseMemory(name: string, browser: PurseBrowser): PurseMemory {
  const { indexedDB, localStorage } = browser
  const [stateKey, receiptsKey] = [`hexachord purse ${name}`, `hexachord receipts ${name}`]
  let opened: Promise<IDBDatabase> | undefined
  let known: Kept | undefined
  let receiptsUndropped = receiptsBetweenDrops

  function database(): Promise<IDBDatabase> {
    opened ??= openDatabase(indexedDB, stateKey, () => {
      opened = undefined
      // Where all was cleared numbers begin anew.
      known = undefined
    })
    return opened
  }

  async function read(): Promise<Kept> {
    const store = (await database()).transaction('states').objectStore('states')
    // Asked for in one transaction: both answers are of the same moment.
    const [[text], [number]] = await Promise.all([answerOf(store.getAll()), answerOf(store.getAllKeys())])
    const kept = (text as State | undefined)?.text ?? localStorage.getItem(stateKey)
    const state = kept === null ? emptyState() : parsed(purseStateSchema, JSON.parse(kept))
    return { number: (number as number | undefined) ?? 0, state }
  }

  /** @returns whether nobody else was faster: where the one before is gone, the next cannot be the only one */
  async function replace(before: Kept, state: PurseState, receipts: readonly Receipt[]): Promise<boolean> {
    const transaction = (await database()).transaction(['states', 'receipts'], 'readwrite')
    const ending = endOf(transaction)
    const states = transaction.objectStore('states')
    states.delete(before.number)
    states.add({ only, text: tillJson(state) } satisfies State, before.number + 1)
    const store = transaction.objectStore('receipts')
    for (const receipt of receipts) store.add(tillJson(receipt))
    receiptsUndropped += receipts.length
    if (receiptsUndropped < receiptsBetweenDrops) transaction.commit()
    else {
      receiptsUndropped = 0
      dropOldest(store)
    }
    try {
      await ending
      return true
    } catch (error) {
      if (error instanceof DOMException && error.name === 'ConstraintError') return false
      throw error
    }
  }

  return {
    load: async () => (await read()).state,
    async update(change, receipts = []) {
      for (;;) {
        const before = known ?? (await read())
        try {
          const state = await change(before.state)
          if (await replace(before, state, receipts)) {
            known = { number: before.number + 1, state }
            return state
          }
          known = undefined
        } catch (error) {
          // What another page has written since may allow it.
          known = await read()
          if (known.number === before.number) throw error
        }
      }
    },
    async receipts() {
      const store = (await database()).transaction('receipts').objectStore('receipts')
      const texts = (await answerOf(store.getAll())) as string[]
      const before = localStorage.getItem(receiptsKey)
      const old: Receipt[] = before === null ? [] : parsed(receiptsSchema, JSON.parse(before))
      return [...old, ...texts.map((text) => parsed(receiptSchema, JSON.parse(text)))].slice(-mostReceipts)
    },
  }
}

function dropOldest(store: IDBObjectStore): void {
  const counting = store.count()
  counting.onsuccess = () => {
    let left = counting.result - mostReceipts
    if (left <= 0) return
    const walking = store.openKeyCursor()
    walking.onsuccess = () => {
      const { result: at } = walking
      if (at === null || left === 0) return
      store.delete(at.key)
      left -= 1
      at.continue()
    }
  }
}

/** Of the states that are kept each has this in a unique index: there is never but one. */
const only = 1
type State = { readonly only: typeof only; readonly text: string }

/** @param onGone called when the connection is of no use any more: the user clears what sites have kept */
function openDatabase(indexedDB: IDBFactory, name: string, onGone: () => void): Promise<IDBDatabase> {
  const opening = indexedDB.open(name, 2)
  opening.onupgradeneeded = ({ oldVersion }) => {
    const { result, transaction } = opening
    const states = result.createObjectStore('states')
    states.createIndex('only', 'only', { unique: true })
    if (oldVersion === 0) {
      result.createObjectStore('receipts', { autoIncrement: true })
      return
    }
    const before = transaction?.objectStore('state').get('state')
    if (before === undefined) return
    before.onsuccess = () => {
      if (before.result !== undefined) states.add({ only, text: before.result } satisfies State, 1)
      result.deleteObjectStore('state')
    }
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
