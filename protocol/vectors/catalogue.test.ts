import { describe, expect, test } from '@jest/globals'
import { readVector } from './by-hand.ts'
import { type NaiveBlock, type NaiveLog, type NaiveNetwork, naiveCatalogue } from './naive-catalogue.ts'

type Judged = { digest: string; verdict: string; reason?: string; changes: unknown[] }
type Vector = {
  network: NaiveNetwork
  verdictCodes: Record<string, number>
  blocks: (Omit<NaiveBlock, 'logs'> & { logs: (NaiveLog & Judged)[]; stateHash: string })[]
  state: Record<string, unknown>
}
// In the first, those that version 2 added are missing. The second history looks at what version 2 brought; both leave out
// a list of 2,000 tracks, and one that is deleted without ever having been: it must be named by `prev`, and so is stale.
const histories = [
  { name: 'the scripted history', file: 'catalogue.json', unseen: ['listTooLong', 'notFound'] },
  {
    name: 'the history in whose midst version 2 comes into force',
    file: 'social.json',
    unseen: ['handleTaken', 'invalidReceipt', 'listTooLong', 'missingReceipts', 'stalePrev'],
  },
]
const vectors = await Promise.all(
  histories.map(async (history) => ({ ...history, vector: await readVector<Vector>(history.file) })),
)

describe.each(vectors)('$name, by hand', ({ vector, unseen }) => {
  const naive = naiveCatalogue(vector.network, vector.verdictCodes)

  test.each(vector.blocks)('block $number: verdicts, changes and state hash', (block) => {
    const { stateHash, logs } = naive.addBlock(block)
    expect(logs).toEqual(block.logs.map(({ digest, verdict, changes }) => ({ digest, verdict, changes })))
    expect(stateHash).toBe(block.stateHash)
  })

  test('leaves the state that the vector ends with', () => {
    expect(Object.fromEntries([...naive.state].filter(([, value]) => value !== null))).toEqual(vector.state)
  })

  test('gives a reason for each rejection, and for nothing else', () => {
    for (const { verdict, reason } of vector.blocks.flatMap(({ logs }) => logs)) {
      expect(typeof reason).toBe(verdict === 'applied' ? 'undefined' : 'string')
    }
  })

  test('holds every verdict but those that it says it leaves out', () => {
    const seen = new Set(vector.blocks.flatMap(({ logs }) => logs.map(({ verdict }) => verdict)))
    const left = Object.keys(vector.verdictCodes).filter((verdict) => !seen.has(verdict))
    expect(left.sort()).toEqual(unseen)
  })
})
