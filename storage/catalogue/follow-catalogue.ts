import type { NetworkFile } from '@hexachord/contracts/networks'
import { type ChainEvent, type ChainReader, followChain } from '@hexachord/platform/chain'
import type { Logger } from '@hexachord/platform/process'
import { type Sqlite, whenThereIsRoom } from '@hexachord/platform/sqlite'
import { handleKey, identityOf, type SubjectState, subjectKey } from '@hexachord/protocol/actions'
import { applyRange, type CatalogueRules, rulesOf } from '@hexachord/protocol/catalogue'
import type { Address, Subject } from '@hexachord/protocol/names'
import type { OperatorSet } from '@hexachord/protocol/operators'
import { acceptedOperators, epochOf, rankOperators } from '@hexachord/protocol/placement'
import { fullCopies } from '@hexachord/protocol/receipts'
import { LRUCache } from 'lru-cache'
import {
  type Catalogue,
  type CatalogueChange,
  type LiveTrack,
  liveTrack,
  type Ranks,
  subjectOfKey,
} from './catalogue.ts'
import { type CatalogueStore, openCatalogueStore } from './catalogue-store.ts'
import { createOperatorHistory, type OperatorHistory } from './operator-history.ts'

export type FollowCatalogueOptions = {
  /** Opened with `catalogueMigrations`. */
  readonly database: Sqlite
  readonly reader: ChainReader
  readonly network: NetworkFile
  /** Ends following, as `close` does. */
  readonly signal: AbortSignal
  readonly logger: Logger
  /** Between looks at the head, in ms. @default 1 s */
  readonly pollMs?: number | undefined
  /** A range of blocks whose changes take more characters in memory is stored in several. @default 16 MiB */
  readonly mostKeptChars?: number | undefined
}

/** As much as two answers of a chain's node. A long list is kept anew with each block that changes it, of which a range may
 * have thousands; others take a tenth of it at most. */
const defaultMostKeptChars = 16 * 1024 * 1024

/** Subjects whose ranks are remembered: to rank twenty operators takes a quarter of a millisecond, to look again at
 * everything that a node holds shall not. */
const rankedSubjects = 32_768

/** Entries of the index read at one time. */
const pageSize = 500

/**
 * Follows the network's contracts from its first block, or from where the database ends, to the head and on. One
 * transaction per range: after a crash the index is that of some block, never of half of one.
 * @throws OtherNetwork when the database is that of another network
 */
export function followCatalogue(options: FollowCatalogueOptions): Catalogue {
  const { reader, network, database, mostKeptChars = defaultMostKeptChars } = options
  const rules = rulesOf(network)
  const store = openCatalogueStore(database, {
    name: `${network.chainId}/${rules.catalog}/${network.firstBlock}`,
    firstBlock: network.firstBlock,
    versions: rules.versions,
  })
  const history = createOperatorHistory(store.operatorLogs(), rules.minimumStakeWei)
  const listeners = new Set<(change: CatalogueChange) => void>()
  const ending = new AbortController()
  const signal = AbortSignal.any([options.signal, ending.signal])
  let progress = store.progress()
  let head: number | undefined
  /** Replaced at every step, so that whoever waits looks again. */
  let step = Promise.withResolvers<void>()

  const epoch = () => epochOf(Math.max(0, progress.indexed), rules.placement)
  /** The same object for as long as nothing changes in it. */
  const ranking = () => history.at(epoch().block)
  const ranked = new LRUCache<Subject, Ranks>({ max: rankedSubjects })
  let rankedSet: OperatorSet | undefined

  function ranksOf(subject: Subject): Ranks {
    const set = ranking()
    if (set !== rankedSet) {
      ranked.clear()
      rankedSet = set
    }
    const known = ranked.get(subject)
    if (known !== undefined) return known
    const operators = rankOperators(subject, set, rules.placement.bytesPerToken)
    const ranks = { operators, copies: Math.min(fullCopies, operators.length) }
    ranked.set(subject, ranks)
    return ranks
  }

  function advance(change: Omit<CatalogueChange, 'ranks'>, rankingBefore: OperatorSet) {
    progress = store.progress()
    const ranks = ranking() !== rankingBefore
    const seen = { ...change, ranks, operators: change.operators || ranks }
    step.resolve()
    step = Promise.withResolvers()
    const silent = seen.subjects.length === 0 && seen.actions.length === 0 && !seen.operators
    if (!silent || seen.reorganised) for (const listener of listeners) listener(seen)
  }

  async function follow(): Promise<void> {
    const events = followChain({
      reader,
      addresses: [rules.catalog, ...rules.operatorContracts],
      startBlock: network.firstBlock,
      finalityBlocks: network.finalityBlocks,
      known: async () => store.blocks(),
      logger: options.logger,
      signal,
      ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
    })
    const waiting = { what: 'the catalogue', signal, logger: options.logger }
    for await (const event of events) {
      if (event.type === 'range') {
        head = event.head
        await addAll(event)
      } else {
        const rankingBefore = ranking()
        const write = async () => takeBack(store, history, event.toBlock)
        advance(await whenThereIsRoom(write, waiting), rankingBefore)
      }
    }

    /** Each part is stored, and told of, before the next one is judged. */
    async function addAll(range: Range): Promise<void> {
      for (let left: Range | undefined = range; left !== undefined && !signal.aborted; ) {
        const rankingBefore = ranking()
        const next: Range = left
        const write = () => addRange({ store, history, rules, mostKeptChars }, next)
        const { change, rest } = await whenThereIsRoom(write, waiting)
        advance(change, rankingBefore)
        left = rest
      }
    }
  }

  const following = follow().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  // Two views of one promise: whoever waits for blocks must not keep a failure from those who watch over `finished`.
  const finished = following.then(() => undefined)
  let failure: unknown
  const ended = following.catch((error: unknown) => {
    failure = error
  })

  return {
    rules,
    head: () => head ?? progress.indexed,
    indexed: () => progress.indexed,
    behind: () => (head === undefined ? Number.POSITIVE_INFINITY : head - progress.indexed),
    finalized: () => progress.finalized,
    stateHash: () => progress.stateHash,
    stateHashAt: store.stateHashAt,
    async caughtUp(waiting) {
      const { number } = await reader.head()
      head = Math.max(head ?? 0, number)
      const { promise, reject } = Promise.withResolvers<never>()
      const give = () => reject(waiting.reason)
      waiting.addEventListener('abort', give, { once: true })
      try {
        while (progress.indexed < number) {
          waiting.throwIfAborted()
          signal.throwIfAborted()
          await Promise.race([step.promise, promise, ended])
          if (failure !== undefined) throw failure
        }
      } finally {
        waiting.removeEventListener('abort', give)
      }
    },
    operatorsAt: (block) => history.at(block),
    operators: () => history.at(progress.indexed),
    operatorByHotKey(hotKey) {
      return [...history.at(progress.indexed).values()].find((operator) => operator.hotKey === hotKey)
    },
    ranks: ranksOf,
    ranking,
    accepted: (subject) => acceptedOperators(subject, progress.indexed + 1, rules.placement, history.at),
    epoch: () => epoch().epoch,
    entry: store.value,
    identity: (author, atMs) => identityOf({ get: store.value }, author, atMs),
    subject: (subject) => store.value(subjectKey(subject)) as SubjectState | undefined,
    subjectsOf: (author) => readSubjects(store, subjectKey(`${author}-` as Subject)),
    handleOwner: (handle) => store.value(handleKey(handle)) as Address | undefined,
    tracks: () => readTracks(store),
    tracksWith: (manifest) =>
      store.withManifest(manifest).flatMap(({ key, value }) => {
        const subject = subjectOfKey(key)
        const state = value as unknown as SubjectState
        return subject !== undefined && liveTrack(subject, state) !== undefined ? [{ subject, state }] : []
      }),
    replacedAt: store.replacedAt,
    action: store.action,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    finished,
    async close() {
      ending.abort(new DOMException('the catalogue is closed', 'AbortError'))
      await finished
    },
  }
}

type Range = Extract<ChainEvent, { type: 'range' }>

/** Stores a range, or the first of its blocks when much changes. @returns what is left of it, too */
async function addRange(
  index: { store: CatalogueStore; history: OperatorHistory; rules: CatalogueRules; mostKeptChars: number },
  given: Range,
): Promise<{ change: Omit<CatalogueChange, 'ranks'>; rest: Range | undefined }> {
  const { store, history, rules, mostKeptChars } = index
  const timestamps = new Map(given.blocks.map(({ number, timestamp }) => [number, timestamp]))
  const result = await applyRange({
    rules,
    logs: given.logs,
    timestampOf: (block) => {
      const timestamp = timestamps.get(block)
      if (timestamp === undefined)
        throw new RangeError(`the head of block ${block}, which has logs, was not read`)
      return timestamp
    },
    operatorEvents: history.events(),
    stateHash: store.progress().stateHash,
    read: async (keys) => store.values(keys),
    mostKeptChars,
  })
  const last = result.blocks.at(-1)
  const [range, rest] =
    result.isCut && last !== undefined ? splitRange(given, last.number) : [given, undefined]
  const operatorLogs = range.logs.filter(({ address }) => address !== rules.catalog)
  const { toBlock, finalized, blocks } = range
  store.append({ toBlock, finalized, blocks, operatorLogs, result })
  history.add(result.operatorEvents)
  const change = {
    subjects: subjectsOf(result.state.keys()),
    actions: result.actions.map(({ action }) => action.hash),
    operators: result.operatorEvents.length > 0,
    reorganised: false,
  }
  return { change, rest }
}

/** @param block one with logs, not the last of them */
function splitRange(range: Range, block: number): [upTo: Range, rest: Range] {
  const { logs, blocks } = range
  const nextLog = logs.findIndex(({ blockNumber }) => blockNumber > block)
  const nextBlock = blocks.findIndex(({ number }) => number > block)
  return [
    { ...range, toBlock: block, logs: logs.slice(0, nextLog), blocks: blocks.slice(0, nextBlock) },
    { ...range, fromBlock: block + 1, logs: logs.slice(nextLog), blocks: blocks.slice(nextBlock) },
  ]
}

function takeBack(
  store: CatalogueStore,
  history: OperatorHistory,
  toBlock: number,
): Omit<CatalogueChange, 'ranks'> {
  const subjects = subjectsOf(store.undoTo(toBlock))
  return { subjects, actions: [], operators: history.undoTo(toBlock), reorganised: true }
}

function subjectsOf(keys: Iterable<string>): Subject[] {
  return [...keys].flatMap((key) => subjectOfKey(key) ?? [])
}

function* readTracks(store: CatalogueStore): Generator<LiveTrack> {
  for (const { subject, state } of readSubjects(store, 'subject/')) {
    const track = liveTrack(subject, state)
    if (track !== undefined) yield track
  }
}

/** Those whose keys begin with something, in the order of their names. */
function* readSubjects(
  store: CatalogueStore,
  prefix: string,
): Generator<{ subject: Subject; state: SubjectState }> {
  let after = prefix
  for (;;) {
    const page = store.page(after, pageSize)
    for (const { key, value } of page) {
      const subject = key.startsWith(prefix) ? subjectOfKey(key) : undefined
      if (subject === undefined) return
      yield { subject, state: value as unknown as SubjectState }
    }
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    after = last.key
  }
}
