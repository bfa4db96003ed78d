import { describe, expect, test } from '@jest/globals'
import { Interface } from 'ethers'
import fc from 'fast-check'
import { actedFragment, decodeActed, kinds, type RulesTable, rulesVersion } from '../actions/index.ts'
import { encodeCanonicalJson, type Json } from '../canonical/index.ts'
import { type Address, type Hash, subjectOf, subjectToBytes32, userSubject } from '../names/index.ts'
import { type ChainLog, operatorEventFragments } from '../operators/index.ts'
import { genesisStateHash } from '../state-hash/index.ts'
import { applyRange, rulesOf } from './index.ts'

const catalogAbi = new Interface([actedFragment])
const operatorAbi = new Interface(operatorEventFragments)
const catalog = '0x00000000000000000000000000000000000000AA'
const registry = '0x00000000000000000000000000000000000000BB'
const network = {
  chainId: 31337,
  finalityBlocks: 2,
  epochBlocks: 16,
  bytesPerToken: '1000',
  minimumStakeWei: '1',
  contracts: {
    catalog,
    operatorRegistry: registry,
    stakeVault: '0x00000000000000000000000000000000000000cc',
  },
}
const authors = [1, 2, 3].map((n): Address => `0x${`${n}`.repeat(40)}`)

function acted(
  author: Address,
  kind: number,
  number: bigint,
  content: Json,
  block: number,
  logIndex = 0,
): ChainLog {
  const event = catalogAbi.encodeEventLog('Acted', [
    author,
    author,
    BigInt(block * 100 + logIndex),
    kind,
    subjectToBytes32(subjectOf(author, number)),
    encodeCanonicalJson(content),
  ])
  return { ...event, address: catalog, blockNumber: block, blockHash: hashOf(block), logIndex }
}

function hashOf(block: number): Hash {
  return `0x${block.toString(16).padStart(64, '0')}`
}

/** An index that keeps everything in maps, and can take blocks back. */
function memoryIndex(rulesVersions: RulesTable = []) {
  const rules = rulesOf({ ...network, rulesVersions })
  const state = new Map<string, Json>()
  let stateHash = genesisStateHash
  return {
    state,
    hash: () => stateHash,
    async apply(logs: readonly ChainLog[], mostKeptChars?: number) {
      const result = await applyRange({
        rules,
        logs,
        timestampOf: (block) => 1_700_000_000 + block,
        operatorEvents: [],
        stateHash,
        ...(mostKeptChars !== undefined && { mostKeptChars }),
        read: async (keys) =>
          new Map(keys.flatMap((key) => (state.has(key) ? [[key, state.get(key) ?? null]] : []))),
      })
      for (const [key, value] of result.state) {
        if (value === null) state.delete(key)
        else state.set(key, value)
      }
      stateHash = result.stateHash
      return result
    },
    takeBack(block: { changes: ReadonlyMap<string, { before: Json }> }, hash: Hash) {
      for (const [key, { before }] of block.changes) {
        if (before === null) state.delete(key)
        else state.set(key, before)
      }
      stateHash = hash
    },
  }
}

const history = fc
  .array(
    fc.record({
      author: fc.constantFrom(...authors),
      handle: fc.constantFrom('ut', 're', 'mi', undefined),
      sameBlock: fc.boolean(),
      stale: fc.boolean(),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((steps) => {
    const logs: ChainLog[] = []
    const last = new Map<string, string>()
    let block = 1
    let logIndex = 0
    for (const { author, handle, sameBlock, stale } of steps) {
      block += sameBlock ? 0 : 1
      logIndex = sameBlock ? logIndex + 1 : 0
      const prev = stale ? null : (last.get(author) ?? null)
      const log = acted(
        author,
        kinds.user.number,
        0n,
        { prev, ...(handle ? { handle } : {}) },
        block,
        logIndex,
      )
      logs.push(log)
      // Not always what the index has: a handle may be taken. Wrong ones belong into a history too.
      const hash = decodeActed(log)?.hash
      if (hash && !stale) last.set(author, hash)
    }
    return logs
  })

describe('an index', () => {
  test('comes to the same state however the chain is cut into ranges', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.integer({ min: 1, max: 5 }), async (logs, size) => {
        const whole = memoryIndex()
        await whole.apply(logs)
        const pieces = memoryIndex()
        const blocks = [...new Set(logs.map((log) => log.blockNumber))]
        for (let at = 0; at < blocks.length; at += size) {
          const part = new Set(blocks.slice(at, at + size))
          await pieces.apply(logs.filter((log) => part.has(log.blockNumber)))
        }
        expect(pieces.hash()).toBe(whole.hash())
        expect([...pieces.state].sort()).toEqual([...whole.state].sort())
      }),
      { numRuns: 60 },
    )
  })

  test('cuts a range that changes much after a whole block, and comes to the same with what is left', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(2_000), async (logs, mostKeptChars) => {
        const whole = memoryIndex()
        const { blocks, isCut } = await whole.apply(logs)
        expect(isCut).toBe(false)
        const pieces = memoryIndex()
        const judged: number[] = []
        for (let left = logs; left.length > 0; ) {
          const part = await pieces.apply(left, mostKeptChars)
          judged.push(...part.blocks.map(({ number }) => number))
          const kept = part.blocks.slice(0, -1).flatMap(({ changes }) => [...changes.values()])
          expect(kept.reduce((sum, { afterText }) => sum + afterText.length, 0)).toBeLessThanOrEqual(
            mostKeptChars,
          )
          left = part.isCut ? left.filter(({ blockNumber }) => blockNumber > (judged.at(-1) ?? 0)) : []
        }
        expect(judged).toEqual(blocks.map(({ number }) => number))
        expect(pieces.hash()).toBe(whole.hash())
        expect([...pieces.state].sort()).toEqual([...whole.state].sort())
      }),
      { numRuns: 60 },
    )
  })

  test('is as it was when blocks are taken back', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(20), async (logs, keep) => {
        const cut = Math.min(keep, (logs.at(-1)?.blockNumber ?? 0) - 1)
        const early = logs.filter((log) => log.blockNumber <= cut)
        const expected = memoryIndex()
        await expected.apply(early)
        const index = memoryIndex()
        await index.apply(early)
        const before = index.hash()
        const { blocks } = await index.apply(logs.filter((log) => log.blockNumber > cut))
        for (const block of blocks.toReversed()) index.takeBack(block, before)
        expect([...index.state].sort()).toEqual([...expected.state].sort())
        expect(index.hash()).toBe(expected.hash())
      }),
      { numRuns: 60 },
    )
  })

  test('sees an earlier action of the same range', async () => {
    const [one, two] = authors as [Address, Address]
    const index = memoryIndex()
    const { actions } = await index.apply([
      acted(one, kinds.user.number, 0n, { prev: null, handle: 'ut' }, 5, 0),
      acted(two, kinds.user.number, 0n, { prev: null, handle: 'ut' }, 5, 1),
    ])
    expect(actions.map(({ verdict }) => verdict.verdict)).toEqual(['applied', 'handleTaken'])
    expect(index.state.get(`subject/${userSubject(two)}`)).toBeUndefined()
  })

  test('hashes what operators did, and takes no action from another contract', async () => {
    const [one] = authors as [Address]
    const event = operatorAbi.getEvent('OperatorRegistered')
    if (!event) throw new Error('the event is not known')
    const encoded = operatorAbi.encodeEventLog(event, [one, one, 'https://one.example', '0x12', one, 5n])
    const registered = { ...encoded, address: registry, blockNumber: 3, blockHash: hashOf(3), logIndex: 0 }
    const foreign = { ...acted(one, kinds.user.number, 0n, { prev: null }, 3, 1), address: registry }
    const index = memoryIndex()
    const result = await index.apply([registered, foreign])
    expect(result.operatorEvents).toHaveLength(1)
    expect(result.actions).toHaveLength(0)
    expect(index.hash()).not.toBe(genesisStateHash)
  })

  test('follows new rules from their block on, also when that block is replaced by another', async () => {
    const [one, two] = authors as [Address, Address]
    const versions = [{ fromBlock: 6, version: 2 }]
    const follow = (block: number) =>
      acted(one, kinds.follow.number, 0n, { user: two, on: true, atMs: block }, block)
    const verdictsOf = async (index: ReturnType<typeof memoryIndex>, logs: ChainLog[]) =>
      (await index.apply(logs)).actions.map(({ verdict }) => verdict.verdict)
    const index = memoryIndex(versions)
    const early = index.hash()
    expect(await verdictsOf(index, [follow(5)])).toEqual(['unknownKind'])
    const five = index.hash()
    const { blocks, actions } = await index.apply([follow(6), follow(7)])
    expect(actions.map(({ verdict }) => verdict.verdict)).toEqual(['applied', 'applied'])
    for (const block of blocks.toReversed()) index.takeBack(block, five)
    expect(index.state.size).toBe(0)
    expect(await verdictsOf(index, [follow(7)])).toEqual(['applied'])

    // Under either version alone the same logs come to other hashes; before its block the new one is not felt.
    const first = memoryIndex([{ fromBlock: 0, version: 1 }])
    const newest = memoryIndex()
    for (const other of [first, newest]) await other.apply([follow(5)])
    expect(first.hash()).toBe(five)
    expect(newest.hash()).not.toBe(five)
    expect(early).toBe(genesisStateHash)
  })

  test('refuses a network whose rules it does not know, or whose table falls', () => {
    const table = (...rulesVersions: RulesTable) => rulesOf({ ...network, rulesVersions })
    expect(() => table({ fromBlock: 9, version: rulesVersion + 1 })).toThrow(/install a newer one/)
    expect(() => table({ fromBlock: 9, version: 1 }, { fromBlock: 9, version: 2 })).toThrow(/must rise/)
    expect(() => table({ fromBlock: 9, version: 2 }, { fromBlock: 10, version: 1 })).toThrow(/must rise/)
  })
})
