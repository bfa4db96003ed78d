import { rulesOf } from '@hexachord/protocol/catalogue'
import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { authors, createDice, randomLog } from '../fixtures/random-actions.ts'
import { createSyntheticChain, firstSecond } from '../fixtures/synthetic-chain.ts'
import {
  actedLog,
  indexedNetwork,
  type LooseLog,
  network,
  operators,
  registeredLog,
  stakedLog,
} from '../fixtures/synthetic-network.ts'
import { published } from '../fixtures/test-index.ts'
import { openCatalogueIndex } from '../indexing/catalogue-index.ts'
import { keepManifest } from '../manifests/read-manifests.ts'
import { feedRoutes } from './feed.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(120_000)

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

/** Everybody's feed, from its beginning and from its second page on. @param now ms */
function readFeeds(now: () => number) {
  const [route] = feedRoutes(database.postgres, now)
  const page = async (id: string, limit: number, cursor?: string) => {
    const request = {
      params: { id },
      query: { limit, cursor },
      ...{ authorization: undefined, address: undefined },
    }
    const answer = await route?.answer(request)
    if (answer === undefined || !('json' in answer)) throw new Error('a feed is a text')
    return { text: Buffer.from(answer.json).toString(), tag: answer.tag }
  }
  return async () => {
    const pages = authors.map(async (id) => {
      const first = await page(id, 3)
      const { next } = JSON.parse(first.text) as { next: string | null }
      return [first, await page(id, 20), next === null ? null : await page(id, 3, next)]
    })
    return Promise.all(pages)
  }
}

function followed(author: Address, user: Address): LooseLog {
  const content = { user, on: true, atMs: firstSecond * 1000 }
  return actedLog({ author, kind: 'follow', subject: userSubject(author), content })
}

describe('feeds of which much is kept', () => {
  test.each([{ seed: 1 }, { seed: 2 }, { seed: 3 }])(
    'say the same as feeds of which nothing is, through a history with reorganisations (%o)',
    async ({ seed }) => {
      const { postgres } = database
      const rules = rulesOf(network)
      const dice = createDice(seed)
      await database.empty()
      const chain = createSyntheticChain()
      const index = await openCatalogueIndex({ postgres, network: indexedNetwork, rules })
      const follow = async () => {
        const known = await index.knownBlocks()
        const common = known.find(({ number, hash }) => chain.blocks[number - 1]?.hash === hash)
        if (common !== undefined && common.number < index.checkpoint.indexed) {
          await index.takeBack(common.number)
        }
        const from = index.checkpoint.indexed + 1
        if (from <= chain.head) await index.append(chain.range(from, chain.head))
      }
      const stateOf = async () => {
        const { rows } = await postgres.query<{ key: string; value: never }>('SELECT key, value FROM state')
        return new Map(rows.map(({ key, value }) => [key, value]))
      }
      /** What answers tell besides the catalogue. */
      const change = async () => {
        const { rows } = await postgres.query<{ id: string; manifest: string }>(
          'SELECT id, manifest FROM track ORDER BY random() LIMIT 1',
        )
        const [track] = rows
        if (track !== undefined)
          await keepManifest(postgres, { ...track, track: track.id as never }, { keyHolders: [], covers: [] })
      }

      chain.mine([...operators.map(registeredLog), ...operators.map((operator) => stakedLog(operator))])
      while (chain.head < 8) chain.mine()
      chain.mine(await Promise.all(authors.map((author) => published(subjectOf(author, 1n)))))
      chain.mine(authors.flatMap((author) => authors.map((user) => followed(author, user))))
      const clock = () => (firstSecond + 2 * chain.head) * 1000
      const kept = readFeeds(clock)
      let highest = chain.head
      let filled = 0
      for (let step = 0; step < 120; step++) {
        const state = await stateOf()
        const logs = []
        for (let count = dice(4); count > 0; count--) logs.push(await randomLog(dice, state))
        chain.mine(logs)
        // Finality passes by what nobody has looked at.
        const quiet = dice(6) === 0 ? network.finalityBlocks : 0
        for (let blocks = 0; blocks < quiet; blocks++) chain.mine()
        highest = Math.max(highest, chain.head)
        if (dice(3) > 0) await follow()
        if (step === 60) await index.complete()
        if (dice(8) === 0) await change()
        // Of several blocks at once, too.
        if (dice(3) > 0) {
          const said = await kept()
          expect(said).toEqual(await readFeeds(clock)())
          filled += said.flat().filter((page) => (page?.text.length ?? 0) > 100).length
        }
        const depth = Math.min(
          1 + dice(network.finalityBlocks),
          chain.head - (highest - network.finalityBlocks),
        )
        if (dice(6) === 0 && depth > 0) chain.drop(depth)
      }
      // Or the history would prove little.
      expect(filled).toBeGreaterThan(100)
    },
  )
})
