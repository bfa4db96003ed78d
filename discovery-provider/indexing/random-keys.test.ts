import { decodeActed, type Identity, verdictCodes } from '@hexachord/protocol/actions'
import { type Address, subjectOf } from '@hexachord/protocol/names'
import { operatorsAt } from '@hexachord/protocol/operators'
import { naiveCatalogue } from '@hexachord/protocol/vectors'
import { expect, test } from '@jest/globals'
import { addNaively, emptyNaiveIndex, type NaiveIndex } from '../fixtures/naive-index.ts'
import {
  authors,
  createDice,
  randomLog,
  randomOperatorLog,
  randomPause,
  withTheirKeys,
} from '../fixtures/random-actions.ts'
import { createSyntheticChain, firstSecond, type MinedBlock } from '../fixtures/synthetic-chain.ts'
import {
  manyOperators,
  network,
  operators,
  registeredLog,
  rules,
  stakedLog,
} from '../fixtures/synthetic-network.ts'
import { published } from '../fixtures/test-index.ts'

// Of these a history of a hundred actions has none, or one: see random-history.parts.test.ts for what happens to an index.
test.each([
  { among: 'three operators', members: operators },
  { among: 'nine operators', members: manyOperators },
])(
  'what keys may do among $among, recovered, delegated and hot ones, is the same by both books of rules',
  async ({ members }) => {
    const seen = { recovered: 0, otherHotKeys: 0 }
    for (let seed = 1; seed <= 6; seed++) {
      const dice = createDice(seed)
      const chain = createSyntheticChain()
      const another = naiveCatalogue(
        { ...network, rulesVersions: [{ fromBlock: 0, version: 2 }] },
        verdictCodes,
      )
      let index = emptyNaiveIndex
      const judge = (block: MinedBlock) => {
        if (block.logs.length === 0) return
        const before = index
        index = addNaively(before, block, rules)
        const { stateHash, logs } = another.addBlock(block)
        const verdicts = index.verdicts.slice(before.verdicts.length).map(({ verdict }) => verdict)
        const ofActions = logs.filter((_, at) => block.logs[at]?.address === network.contracts.catalog)
        expect({ seed, block: block.number, verdicts: ofActions.map(({ verdict }) => verdict) }).toEqual({
          ...{ seed, block: block.number, verdicts },
        })
        expect(stateHash).toBe(index.stateHashes.get(block.number))
        for (const [at, log] of block.logs.entries()) {
          if (logs[at]?.verdict !== 'applied') continue
          seen.recovered += isRecovered(before, block, log) ? 1 : 0
          seen.otherHotKeys += isByOtherHotKeys(before, block, log) ? 1 : 0
        }
      }

      judge(chain.mine([...members.map(registeredLog), ...members.map((one) => stakedLog(one))]))
      while (chain.head < 8) chain.mine()
      judge(chain.mine(await Promise.all(authors.map((author) => published(subjectOf(author, 1n))))))
      for (let step = 0; step < 50; step++) {
        const last = chain.blocks.at(-1)?.timestamp ?? firstSecond
        const secondsLater = randomPause(dice, index.state, last)
        const now = withTheirKeys(members, index.operatorEvents)
        const logs = dice(3) === 0 ? [randomOperatorLog(dice, now)] : []
        for (let count = dice(6); count > 0; count--) {
          logs.push(await randomLog(dice, index.state, { second: last + secondsLater, operators: now }))
        }
        judge(chain.mine(logs, secondsLater))
      }
    }
    // Or the histories would prove little.
    expect(seen.recovered).toBeGreaterThan(1)
    expect(seen.otherHotKeys).toBeGreaterThan(1)
  },
  60_000,
)

/** Whether it is by a key to which a recovery key has handed its author on. */
function isRecovered(
  { state }: NaiveIndex,
  { timestamp }: MinedBlock,
  log: MinedBlock['logs'][number],
): boolean {
  const action = decodeActed(log)
  const identity = state.get(`identity/${action?.author}`) as Identity | undefined
  const pending = identity?.pending
  return pending != null && pending.atMs <= timestamp * 1000 && pending.controller === action?.signer
}

/** Whether it has a receipt of an operator that has changed its hot key. */
function isByOtherHotKeys(
  { operatorEvents }: NaiveIndex,
  { number }: MinedBlock,
  log: MinedBlock['logs'][number],
): boolean {
  const action = decodeActed(log)
  if (action?.kind !== 2) return false
  const { receipts = [] } = JSON.parse(Buffer.from(action.content).toString()) as {
    receipts?: { operator: Address }[]
  }
  const now = operatorsAt(operatorEvents, number - 1, rules.minimumStakeWei)
  return receipts.some(({ operator }) => {
    const first = manyOperators.find((one) => one.operator === operator)?.hotKey.address.toLowerCase()
    return now.get(operator)?.hotKey !== first
  })
}
