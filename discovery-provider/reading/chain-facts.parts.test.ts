import {
  actionStatusSchema,
  blockAnswerSchema,
  discoveryStatusSchema,
  listOf,
  operatorAnswerSchema,
} from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { guido, headOf, hymn, type ServedCatalogue, serveCatalogue } from '../fixtures/served-catalogue.ts'
import { operators } from '../fixtures/synthetic-network.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
})
afterAll(() => served.close())

describe('what lies under it', () => {
  test('/v1/operators tells who takes part', async () => {
    const all = await served.read('/v1/operators', listOf(operatorAnswerSchema))
    expect(all.items.map(({ operator }) => operator)).toEqual(operators.map(({ operator }) => operator))
    const active = await served.read('/v1/operators?active=true&limit=1', listOf(operatorAnswerSchema))
    expect(active.items).toMatchObject([{ endpoint: `${served.node}/`, stakeWei: (10n ** 21n).toString() }])
    const rest = await served.read(
      `/v1/operators?active=true&cursor=${active.next}`,
      listOf(operatorAnswerSchema),
    )
    expect(rest.items).toMatchObject([{ operator: operators[2]?.operator }])
  })

  test('/v1/actions/:hash tells what became of an action, and why', async () => {
    expect(await served.read(`/v1/actions/${served.hashes.applied}`, actionStatusSchema)).toMatchObject({
      status: 'applied',
      subject: hymn,
      block: 10,
      transaction: served.catalogue.chain.blocks[9]?.logs[0]?.transactionHash,
    })
    expect(await served.read(`/v1/actions/${served.hashes.rejected}`, actionStatusSchema)).toMatchObject({
      status: 'rejected',
      verdict: 'wrongSubject',
      reason: expect.stringContaining('is not a subject of'),
    })
    expect(await served.problem(`/v1/actions/0x${'00'.repeat(32)}`)).toMatchObject({ status: 404 })
  })

  test('/v1/blocks/:number tells the state hash after any block', async () => {
    const quietBlock = await served.read('/v1/blocks/5', blockAnswerSchema)
    expect(quietBlock).toMatchObject({ stateHashBlock: 1, final: true, hash: null })
    expect(quietBlock.stateHash).toBe((await served.read('/v1/blocks/1', blockAnswerSchema)).stateHash)
    const last = await served.read(`/v1/blocks/${served.catalogue.chain.head}`, blockAnswerSchema)
    expect(last).toMatchObject({
      stateHash: served.catalogue.index.checkpoint.stateHash,
      final: false,
      hash: headOf(served.catalogue).hash,
    })
    expect(await served.problem(`/v1/blocks/${served.catalogue.chain.head + 1}`)).toMatchObject({
      status: 404,
    })
  })

  test('/status tells how far the index is', async () => {
    expect(await served.read('/status', discoveryStatusSchema)).toMatchObject({
      service: 'discovery-provider',
      version: '1.2.3',
      role: 'writer',
      head: served.catalogue.chain.head,
      headSeenAtMs: 5,
      indexed: served.catalogue.chain.head,
      lagBlocks: 0,
      finalized: served.catalogue.chain.head - 4,
      stateHash: served.catalogue.index.checkpoint.stateHash,
    })
  })

  test('/ready says no for as long as indexes are missing that readers need', async () => {
    const { postgres } = served.catalogue.database
    await postgres.query(`INSERT INTO deferred_index VALUES ('track_search', 'CREATE INDEX')`)
    try {
      const response = await served.get('/ready')
      expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('caughtUp')])
    } finally {
      await postgres.query('DELETE FROM deferred_index')
    }
  })

  test('/ready tells that all parts are there', async () => {
    const response = await served.get('/ready')
    expect([response.status, await response.json()]).toEqual([
      200,
      expect.objectContaining({ status: 'ready', checks: expect.arrayContaining([expect.anything()]) }),
    ])
  })
})

describe('bad input', () => {
  test.each([
    '/v1/tracks/7',
    `/v1/tracks/${guido}-07`,
    `/v1/tracks/${guido.toUpperCase()}-7`,
    `/v1/tracks/${guido}-${2n ** 96n}`,
    '/v1/tracks/%00',
    '/v1/tracks/%ff',
    '/v1/tracks?limit=0',
    '/v1/tracks?limit=101',
    '/v1/tracks?limit=ten',
    '/v1/tracks?limit=1&limit=2',
    '/v1/tracks?cursor=x',
    `/v1/tracks?cursor=${Buffer.from('["a",1]').toString('base64url')}`,
    `/v1/tracks?cursor=${'A'.repeat(400)}`,
    '/v1/tracks?author=guido',
    `/v1/tracks?author=0x${'a1'.repeat(19)}Aa`,
    `/v1/tracks?genre=${'g'.repeat(61)}`,
    '/v1/tracks?genre=%00',
    '/v1/tracks?gender=x',
    '/v1/users/guido',
    '/v1/playlists/1',
    '/v1/search',
    '/v1/search?q=',
    '/v1/search?q=%20-%20',
    `/v1/search?q=${'a'.repeat(201)}`,
    '/v1/search?q=a%00b',
    '/v1/resolve?handle=Not%20A%20Handle',
    '/v1/resolve?url=nowhere',
    '/v1/actions/0x12',
    '/v1/blocks/-1',
    '/v1/blocks/1e3',
    '/v1/operators?active=maybe',
  ])('is refused with what is wrong: %s', async (path) => {
    const answer = await served.problem(path)
    expect(answer.status).toBe(400)
    expect(answer.detail?.length).toBeGreaterThan(5)
  })

  test('an unknown route says so', async () => {
    expect(await served.problem('/v2/tracks')).toMatchObject({ status: 404 })
  })
})
