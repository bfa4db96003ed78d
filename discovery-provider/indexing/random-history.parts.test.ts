import { type SubjectState, verdictCodes } from '@hexachord/protocol/actions'
import { type CatalogueRules, rulesOf } from '@hexachord/protocol/catalogue'
import { type Address, type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import { naiveCatalogue } from '@hexachord/protocol/vectors'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { contentsOf, createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { addNaively, emptyNaiveIndex, indexNaively, type NaiveIndex } from '../fixtures/naive-index.ts'
import { authors, createDice, randomLog } from '../fixtures/random-actions.ts'
import { createSyntheticChain, firstSecond, type SyntheticChain } from '../fixtures/synthetic-chain.ts'
import {
  actedLog,
  indexedNetwork,
  network,
  operators,
  registeredLog,
  stakedLog,
} from '../fixtures/synthetic-network.ts'
import { published } from '../fixtures/test-index.ts'
import { type CatalogueIndex, openCatalogueIndex } from './catalogue-index.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

/** Takes back what the chain has replaced, then reads on to the head in ranges of random length. */
async function follow(
  index: CatalogueIndex,
  chain: SyntheticChain,
  rangeBlocks: () => number,
): Promise<void> {
  const known = await index.knownBlocks()
  const common = known.find(({ number, hash }) => chain.blocks[number - 1]?.hash === hash)
  if (common !== undefined && common.number < index.checkpoint.indexed) await index.takeBack(common.number)
  while (index.checkpoint.indexed < chain.head) {
    const from = index.checkpoint.indexed + 1
    await index.append(chain.range(from, Math.min(chain.head, from + rangeBlocks())))
  }
}

/** What the naive index makes of a chain, remembering what it made of each block. */
function rememberNaive(rules: CatalogueRules) {
  const after = new Map<string, NaiveIndex>()
  return (chain: SyntheticChain): NaiveIndex => {
    let index = emptyNaiveIndex
    for (const block of chain.blocks) {
      index = after.get(block.hash) ?? addNaively(index, block, rules)
      after.set(block.hash, index)
    }
    return index
  }
}

/** Two who write nothing at random: one makes a program and deletes it, the other lets its key in before and after. */
const [programmer, listener] = ['e5', 'e6'].map((byte): Address => `0x${byte.repeat(20)}`) as [
  Address,
  Address,
]
const program = subjectOf(programmer, 21n)

const appOf = (author: Address) =>
  actedLog({ author, kind: 'app', subject: program, content: { prev: null, name: 'Player' } })

function delegationTo(app: Subject, atMs: number) {
  const key: Address = `0x${'f1'.repeat(20)}`
  const content = { key, app, scopes: ['save'], expiresAtMs: (firstSecond + 1_000) * 1000, atMs }
  return actedLog({ author: listener, kind: 'delegate', subject: userSubject(listener), content })
}

let database: TestDatabase
let fresh: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  fresh = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
  await fresh.drop()
})

describe('a history with reorganisations', () => {
  test.each([
    { seed: 1 },
    { seed: 2 },
    { seed: 3 },
    { seed: 4 },
    { seed: 5, rulesVersions: [{ fromBlock: 40, version: 2 }] },
  ])(
    'comes to what a fresh index and the naive one make of the same chain (%o)',
    async ({ seed, rulesVersions }) => {
      const rules = rulesOf({ ...network, rulesVersions })
      const dice = createDice(seed)
      const naiveOf = rememberNaive(rules)
      await database.empty()
      await fresh.empty()
      const chain = createSyntheticChain()
      const open = () => openCatalogueIndex({ postgres: database.postgres, network: indexedNetwork, rules })
      let index = await open()
      chain.mine([...operators.map(registeredLog), ...operators.map((operator) => stakedLog(operator))])
      while (chain.head < 8) chain.mine()
      chain.mine(await Promise.all(authors.map((author) => published(subjectOf(author, 1n)))))
      let highest = chain.head
      for (let step = 0; step < 60; step++) {
        const { state } = naiveOf(chain)
        const logs = []
        for (let count = dice(6); count > 0; count--) logs.push(await randomLog(dice, state))
        chain.mine(logs)
        highest = Math.max(highest, chain.head)
        if (dice(3) > 0) await follow(index, chain, () => dice(4))
        if (dice(8) === 0) index = await open()
        // The operator changes whose notices are honoured now and then.
        if (dice(8) === 0) await index.honour(authors.slice(dice(2), dice(4)))
        // What comes before is counted all at once, what comes after as it comes.
        if (step === 30) await index.complete()
        const depth = Math.min(
          1 + dice(network.finalityBlocks),
          chain.head - (highest - network.finalityBlocks),
        )
        if (dice(5) === 0 && depth > 0) chain.drop(depth)
      }
      chain.mine([appOf(programmer)])
      const prev = (naiveOf(chain).state.get(`subject/${program}`) as SubjectState).digest
      const gone = { author: programmer, kind: 'delete', subject: program, content: { prev } } as const
      chain.mine([delegationTo(program, 1), actedLog(gone), delegationTo(program, 2)])
      while (chain.head <= highest) chain.mine()
      await follow(index, chain, () => dice(4))
      const honoured = authors.slice(0, 1)
      await index.honour(honoured)

      const scratch = await openCatalogueIndex({ postgres: fresh.postgres, network: indexedNetwork, rules })
      await scratch.append(chain.range(1, chain.head))
      await scratch.complete()
      await scratch.honour(honoured)
      const contents = await contentsOf(database.postgres)
      expect(comparable(contents)).toEqual(comparable(await contentsOf(fresh.postgres)))

      const another = naiveCatalogue(
        { ...network, rulesVersions: rulesVersions ?? [{ fromBlock: 0, version: 2 }] },
        verdictCodes,
      )
      const judged = chain.blocks
        .filter(({ logs }) => logs.length > 0)
        .map((block) => another.addBlock(block))
      const naive = indexNaively(chain.blocks, rules)
      const digests = new Map(judged.flatMap(({ logs }) => logs.map((log) => [log.digest, log.verdict])))
      expect(naive.verdicts.map(({ hash }) => [hash, digests.get(hash)])).toEqual(
        naive.verdicts.map(({ hash, verdict }) => [hash, verdict]),
      )
      expect(judged.at(-1)?.stateHash).toBe(index.checkpoint.stateHash)
      expect(index.checkpoint.stateHash).toBe([...naive.stateHashes.values()].at(-1))
      expect(contents.action?.map(pick('hash', 'verdict'))).toEqual(naive.verdicts)
      expect(new Map(contents.state?.map((row) => [row.key, row.value]))).toEqual(plain(naive.state))
      const ofApp = contents.action?.filter(({ author }) => author === listener)
      expect(ofApp?.map(({ verdict }) => verdict)).toEqual(['applied', 'notFound'])
      // Or the history would prove little.
      expect(new Set(naive.verdicts.map(({ verdict }) => verdict)).size).toBeGreaterThan(4)
      const filled = Object.keys(contents).filter((table) => contents[table]?.length)
      expect(filled).toEqual(expect.arrayContaining(['track', 'comment', 'tally', 'notice']))
      expect(filled.length).toBeGreaterThan(11)
      expect(contents.tally).toEqual(talliesOf(contents))
      expect(contents.track?.map(({ id }) => id)).toEqual(tracksShown(naive.state, honoured))
    },
  )
})

/** Living tracks about which no living notice is by one of these, in the order of their ids. */
function tracksShown(state: NaiveIndex['state'], honoured: readonly string[]): string[] {
  const living = [...state].flatMap(([key, value]) => {
    const subject = value as SubjectState
    return key.startsWith('subject/') && !subject.deleted
      ? [{ id: key.slice('subject/'.length), ...subject }]
      : []
  })
  const denied = living
    .filter(({ kind, author }) => kind === 'notice' && honoured.includes(author))
    .map(({ body }) => body.track)
  const shown = living.filter(({ kind, id }) => kind === 'track' && !denied.includes(id))
  return shown.map(({ id }) => id).sort()
}

/** Counted anew, by the plainest means. */
function talliesOf(contents: Record<string, Record<string, unknown>[]>) {
  const totals = new Map<string, number>()
  const count = (table: string, what: (row: Record<string, unknown>) => string, column: string) => {
    for (const row of contents[table] ?? []) {
      const key = `${row[column]} ${what(row)}`
      if (row[column] !== null && row.deleted !== true) totals.set(key, (totals.get(key) ?? 0) + 1)
    }
  }
  count('follow', () => 'followers', 'target')
  count('follow', () => 'following', 'author')
  count('save', () => 'saves', 'target')
  count('repost', () => 'reposts', 'target')
  count('comment', () => 'comments', 'track')
  count('comment', () => 'replies', 'root')
  count('reaction', ({ reaction }) => `reaction/${reaction}`, 'comment')
  const rows = [...totals].map(([key, total]) => {
    const [subject = '', what = ''] = key.split(' ')
    return { subject, what, total }
  })
  const keyOf = ({ subject, what }: { subject: string; what: string }) => `${subject} ${what}`
  return rows.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
}

/** Which final blocks without logs are kept depends on where ranges ended. */
function comparable(contents: Record<string, Record<string, unknown>[]>) {
  const finalized = Number(contents.checkpoint?.[0]?.finalized)
  const block = contents.block?.filter(({ logs, number }) => logs !== 0 || Number(number) > finalized)
  return { ...contents, block }
}

function pick(...names: string[]) {
  return (row: Record<string, unknown>) => Object.fromEntries(names.map((name) => [name, row[name]]))
}

/** Without members that are undefined, which no database can tell from absent ones. */
function plain(state: ReadonlyMap<string, unknown>): Map<string, unknown> {
  return new Map([...state].map(([key, value]) => [key, JSON.parse(JSON.stringify(value))]))
}
