import { ReorgTooDeep } from '@hexachord/platform/chain'
import { type Postgres, type PostgresClient, together } from '@hexachord/platform/postgres'
import { rulesVersion } from '@hexachord/protocol/actions'
import type { CatalogueRules, IndexedAction, RangeResult } from '@hexachord/protocol/catalogue'
import type { Address, Hash } from '@hexachord/protocol/names'
import { type OperatorEvent, operatorsAt } from '@hexachord/protocol/operators'
import { genesisStateHash } from '@hexachord/protocol/state-hash'
import { projectOperators } from '../projections/operators.ts'
import { project } from '../projections/project.ts'
import {
  isOfOtherRules,
  type Rebuild,
  readStaleTables,
  rebuild,
  writeTableVersions,
} from '../rebuilding/index.ts'
import { chooseAnew } from '../takedowns/denied-tracks.ts'
import { readHonoured, writeHonoured } from '../takedowns/honoured.ts'
import { type IndexRange, readKnownBlocks, splitRange, writeBlocks, writeLogs } from './chain-records.ts'
import { type Checkpoint, type IndexedNetwork, moveCheckpoint, openCheckpoint } from './checkpoint.ts'
import { completeIndex, deferIndexes, isIndexComplete } from './deferred-indexes.ts'
import { deriveRange } from './derive-range.ts'
import { readOperatorEvents } from './operator-events.ts'
import { changesOf, isStateEmpty, readState, readThrough, writeState } from './state.ts'
import { createStateMemory } from './state-memory.ts'
import { deleteBlocks, dropFinal, readUndo } from './undo.ts'
import { writeDerived } from './write-derived.ts'

/** What one process at a time writes: the chain's logs, what follows from them by the rules, and what is read. */
export type CatalogueIndex = {
  readonly checkpoint: Checkpoint
  /** Applies a range that begins where the index ends, in one transaction, all of it, or nothing; in several, one after the
   * other, where much changes.
   * @param signal gives up until the transaction begins; then it is finished
   * @returns verdicts */
  append(range: IndexRange, signal?: AbortSignal): Promise<Pick<RangeResult, 'actions'>>
  /** The same, but resolves when the range, or as much of it as fits one transaction, is judged and the one before it is
   * written: the next range can be judged while the database writes this one.
   * @returns the range that was judged, what follows from it, when that is written, and what is left of the range given */
  appendAhead(
    range: IndexRange,
    signal?: AbortSignal,
  ): Promise<{ range: IndexRange; result: RangeResult; written: Promise<void>; rest: IndexRange | undefined }>
  /** Takes all blocks above `toBlock` back, in one transaction.
   * @throws ReorgTooDeep when some of them were final */
  takeBack(toBlock: number): Promise<void>
  /** Shows from now on no tracks about which one of these accounts has a notice, and again those that are denied no more.
   * It takes nothing but a look when they are those of before. Nothing may be stale. */
  honour(accounts: readonly Address[]): Promise<void>
  /** Makes what a first synchronisation does without, if that has not been done: indexes that only readers need,
   * tallies, and word for those who make more of the tables.
   * @returns whether there was something to make
   * @throws the signal's reason */
  complete(signal?: AbortSignal): Promise<boolean>
  /** Blocks to compare with the chain, newest first. */
  knownBlocks(): Promise<{ number: number; hash: string }[]>
  /** What other rules, or other versions of what is shown, have made: everything, or some tables. Nothing is appended
   * before that is made anew. */
  readonly stale: 'nothing' | 'everything' | readonly string[]
  /** Makes that anew from what is stored, beside what is read meanwhile.
   * @param now ms
   * @throws the signal's reason; what was made until then is dropped */
  rebuild(options: {
    now: () => number
    onProgress: (rebuild: Rebuild) => void
    signal: AbortSignal
  }): Promise<void>
}

/** Where a range begins. */
type Tip = {
  readonly checkpoint: Checkpoint
  readonly operatorEvents: readonly OperatorEvent[]
  /** What the database may not hold yet. */
  readonly changed: RangeResult['state']
}

const noChanges: RangeResult['state'] = new Map()

/** Opens the index in a migrated database, which must have no other writer.
 * @throws WrongNetwork when the database holds the index of another network */
export async function openCatalogueIndex({
  postgres,
  network,
  rules,
}: {
  postgres: Postgres
  network: IndexedNetwork
  rules: CatalogueRules
}): Promise<CatalogueIndex> {
  let { checkpoint, operatorEvents, staleTables, memory, honoured, isIncomplete } =
    await postgres.transaction(async (client) => {
      const checkpoint = await openCheckpoint(client, network, rules.versions)
      // Where there is nothing yet, nothing is of another version.
      if (checkpoint.indexed < network.firstBlock) {
        await writeTableVersions(client)
        await deferIndexes(client)
      }
      const operatorEvents = await readOperatorEvents(client)
      const memory = createStateMemory({ isEmpty: await isStateEmpty(client) })
      const staleTables = await readStaleTables(client)
      return {
        checkpoint,
        operatorEvents,
        staleTables,
        memory,
        honoured: await readHonoured(client),
        isIncomplete: !(await isIndexComplete(client)),
      }
    })

  /** What the next range builds on: the index, or what it will be once the range before is written. */
  let tip: Tip = { checkpoint, operatorEvents, changed: noChanges }
  /** One range at a time: with a second one that waits the database is hardly busier, and memory holds both. */
  let writing = Promise.resolve()

  function settle(settled: Omit<Tip, 'changed'>): void {
    checkpoint = settled.checkpoint
    operatorEvents = [...settled.operatorEvents]
    tip = { checkpoint, operatorEvents, changed: noChanges }
    memory.forget()
  }

  /** Takes over what a range reached once it is committed, and goes back to what is written when it is not. */
  function follow(committed: Promise<void>, reached: Tip): Promise<void> {
    writing = committed.then(
      () => {
        checkpoint = reached.checkpoint
        operatorEvents = [...reached.operatorEvents]
      },
      (error) => {
        writing = Promise.resolve()
        settle({ checkpoint, operatorEvents })
        throw error
      },
    )
    // Whoever asks for the next range meets a failure, too; nobody has to.
    writing.catch(() => undefined)
    return writing
  }

  function operatorsOf(events: readonly OperatorEvent[]) {
    return operatorsAt(events, Number.POSITIVE_INFINITY, rules.minimumStakeWei)
  }

  const index: CatalogueIndex = {
    get checkpoint() {
      return checkpoint
    },

    get stale() {
      if (isOfOtherRules(checkpoint, rules)) return 'everything'
      return staleTables.length > 0 ? staleTables : 'nothing'
    },

    async append(range, signal) {
      const actions: IndexedAction[] = []
      for (let left: IndexRange | undefined = range; left !== undefined; ) {
        const { result, written, rest }: Awaited<ReturnType<CatalogueIndex['appendAhead']>> =
          await index.appendAhead(left, signal)
        await written
        actions.push(...result.actions)
        left = rest
      }
      return { actions }
    },

    async appendAhead(given, signal) {
      if (index.stale !== 'nothing') throw new Error('the index has to be rebuilt before it can grow')
      const [from, before] = [tip, writing]
      if (given.fromBlock !== from.checkpoint.indexed + 1) {
        throw new RangeError(
          `the index ends at ${from.checkpoint.indexed}, the range begins at ${given.fromBlock}`,
        )
      }
      const finalized = Math.max(from.checkpoint.finalized, given.finalized)
      const { stateHash } = from.checkpoint
      // Nobody else writes, so that the slow part needs no transaction.
      const result = await deriveRange({
        rules,
        range: given,
        stateHash,
        operatorEvents: from.operatorEvents,
        read: (keys) => readThrough({ changed: from.changed, memory }, postgres, keys),
        signal,
      })
      const last = result.blocks.at(-1)
      const [range, rest] =
        result.isCut && last !== undefined ? splitRange(given, last.number) : [given, undefined]
      await before
      signal?.throwIfAborted()
      const next = {
        indexed: range.toBlock,
        finalized,
        stateHash: result.stateHash,
        stateHashBlock: last?.number ?? from.checkpoint.stateHashBlock,
        rulesVersion,
        versions: rules.versions,
      }
      const isChanged = result.operatorEvents.length > 0
      const events = isChanged ? [...from.operatorEvents, ...result.operatorEvents] : from.operatorEvents
      const changes = changesOf(result.blocks)
      const work = async (client: PostgresClient) => {
        // All of it is sent at once, so that the database is at work while the next range is judged.
        await together([
          writeDerived(client, result, changes, finalized),
          project(client, changes, { inFull: !isIncomplete, honoured }),
          writeLogs(client, range.logs),
          writeBlocks(client, range, result.blocks, stateHash),
          isChanged && projectOperators(client, operatorsOf(events)),
          dropFinal(client, finalized),
          moveCheckpoint(client, from.checkpoint, next),
        ])
      }
      // A range below finality never changes, and its checkpoint stands in the same transaction: what a crash of the
      // database takes of the last of them is indexed again, to the same hash. Nobody has been promised it.
      const committed = postgres.transaction(work, { durable: range.toBlock > finalized })
      tip = { checkpoint: next, operatorEvents: events, changed: result.state }
      memory.change(changes)
      return { range, result, written: follow(committed, tip), rest }
    },

    async takeBack(toBlock) {
      await writing
      if (toBlock < checkpoint.finalized && checkpoint.indexed > toBlock) {
        throw new ReorgTooDeep(
          `the chain was reorganised down to block ${toBlock}, but block ${checkpoint.finalized} was final and can no longer be undone. Check the node; if it is right, empty the database and start again`,
        )
      }
      const events = operatorEvents.filter(({ block }) => block <= toBlock)
      const next = await postgres.transaction(async (client) => {
        const undo = await readUndo(client, toBlock)
        const now = await readState(client, [...undo.keys()])
        const changes = new Map(
          [...undo].map(([key, after]) => [key, { before: now.get(key) ?? null, after }]),
        )
        await writeState(client, changes)
        await project(client, changes, { inFull: !isIncomplete, honoured })
        await deleteBlocks(client, toBlock)
        if (events.length < operatorEvents.length) await projectOperators(client, operatorsOf(events))
        const next = { ...checkpoint, indexed: toBlock, ...(await stateHashAt(client, toBlock, network)) }
        await moveCheckpoint(client, checkpoint, next)
        return next
      })
      settle({ checkpoint: next, operatorEvents: events })
    },

    async honour(accounts) {
      await writing
      const wanted = new Set(accounts)
      const others = [...wanted.symmetricDifference(honoured)]
      if (others.length === 0) return
      await postgres.transaction(async (client) => {
        await moveCheckpoint(client, checkpoint, checkpoint)
        await writeHonoured(client, wanted)
        await chooseAnew(client, others, (state) =>
          project(client, state, { inFull: !isIncomplete, honoured: wanted }),
        )
      })
      honoured = wanted
    },

    async complete(signal) {
      await writing
      if (!isIncomplete) return false
      await completeIndex(postgres, signal)
      isIncomplete = false
      return true
    },

    knownBlocks: () => postgres.withClient((client) => readKnownBlocks(client, checkpoint.finalized)),

    async rebuild(options) {
      if (index.stale === 'nothing') return
      const from = { checkpoint, operatorEvents }
      settle(await rebuild({ postgres, network, rules, from, staleTables, ...options }))
      // It may hold keys now of which nobody was told.
      memory = createStateMemory({ isEmpty: false })
      staleTables = []
    },
  }
  return index
}

/** State hash after a block that is indexed, and the last block with logs up to it. */
async function stateHashAt(
  client: PostgresClient,
  block: number,
  network: IndexedNetwork,
): Promise<Pick<Checkpoint, 'stateHash' | 'stateHashBlock'>> {
  const { rows } = await client.query<{ number: number; state_hash: Hash }>(
    'SELECT number, state_hash FROM block WHERE number <= $1 AND logs > 0 ORDER BY number DESC LIMIT 1',
    [block],
  )
  const [row] = rows
  if (row === undefined) return { stateHash: genesisStateHash, stateHashBlock: network.firstBlock - 1 }
  return { stateHash: row.state_hash, stateHashBlock: row.number }
}
