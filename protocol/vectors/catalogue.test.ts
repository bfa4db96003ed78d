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
const vector = await readVector<Vector>('catalogue.json')

describe('the scripted history, by hand', () => {
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
    const unseen = Object.keys(vector.verdictCodes).filter((verdict) => !seen.has(verdict))
    // The first needs 2,000 tracks; what is deleted must be named by `prev`, so that one who deletes nothing is stale.
    expect(unseen.sort()).toEqual(['listTooLong', 'notFound'])
  })
})
