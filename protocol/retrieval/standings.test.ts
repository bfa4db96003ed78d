import { beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cidOf } from '../cids/index.ts'
import { AttemptFailed } from './attempt.ts'
import { createRetriever, RetrievalFailed, type Source } from './index.ts'
import { createStandings, type Standings } from './standings.ts'

const [alto, bass, choir, organ] = ['alto', 'bass', 'choir', 'organ'].map((id) => sourceOf(id))
const all = [alto, bass, choir].filter((source) => source !== undefined)

let time: number
let standings: Standings
beforeEach(() => {
  time = 1_000
  standings = createStandings(() => time)
})

describe('standings', () => {
  test('keep the given order while nothing is known', () => {
    expect(order()).toEqual(['alto', 'bass', 'choir'])
  })

  test('put the fastest first, once all were measured', () => {
    standings.succeeded('alto', 300)
    expect(order()).toEqual(['bass', 'choir', 'alto'])
    standings.succeeded('bass', 100)
    standings.succeeded('choir', 200)
    expect(order()).toEqual(['bass', 'choir', 'alto'])
  })

  test('forgive one slow block, but not many', () => {
    standings.succeeded('bass', 100)
    standings.succeeded('choir', 200)
    standings.succeeded('alto', 1_000)
    standings.succeeded('bass', 500)
    expect(order()).toEqual(['bass', 'choir', 'alto'])
    standings.succeeded('bass', 500)
    expect(order()).toEqual(['choir', 'bass', 'alto'])
  })

  test('count the time for which a source was outrun, when it is worse than what it did before', () => {
    standings.outrun('alto', 400)
    expect(latencyOf('alto')).toBe(400)
    standings.succeeded('bass', 100)
    standings.outrun('bass', 50)
    expect(latencyOf('bass')).toBe(100)
  })

  test('let one that fails rest for twice as long each time, up to a minute', () => {
    const rests = Array.from({ length: 8 }, () => {
      standings.failed('alto', failure('unreachable'))
      return (standings.snapshot()[0]?.restsUntil ?? 0) - time
    })
    expect(rests).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
    expect(order()).toEqual(['bass', 'choir', 'alto'])
    time += 60_000
    expect(order()).toEqual(['alto', 'bass', 'choir'])
  })

  test('let one rest for as long as it asks, within reason', () => {
    standings.failed('alto', failure('refused', 5_000))
    standings.failed('bass', failure('refused', 86_400_000))
    expect(standings.snapshot().map(({ restsUntil }) => (restsUntil ?? 0) - time)).toEqual([5_000, 60_000])
  })

  test('start anew after a success', () => {
    standings.failed('alto', failure('timed-out'))
    standings.failed('alto', failure('timed-out'))
    standings.succeeded('alto', 100)
    expect(standings.snapshot()).toMatchObject([{ state: 'good', restsUntil: undefined }])
    standings.failed('alto', failure('timed-out'))
    expect(standings.snapshot()).toMatchObject([{ state: 'resting', restsUntil: time + 1_000 }])
  })

  test('ask one that lacked a block after the others for a while, though it does not rest', () => {
    standings.failed('alto', failure('missing'))
    expect(order('alto')).toEqual(['bass', 'choir', 'alto'])
    expect(standings.snapshot()).toMatchObject([{ state: 'good', faults: { missing: 1 } }, {}, {}])
    time += 1_000
    expect(order()).toEqual(['alto', 'bass', 'choir'])
  })

  test('drop one that lied', () => {
    standings.failed('bass', failure('lied'))
    time += 1_000_000
    expect(order()).toEqual(['alto', 'choir'])
    expect(standings.snapshot()).toContainEqual(expect.objectContaining({ source: 'bass', state: 'dropped' }))
  })

  test('ask the preferred source first in its tier, and lower tiers before higher ones', () => {
    standings.succeeded('choir', 900)
    const sources = [
      ...all.map((source) => ({ ...source, tier: source.id === 'bass' ? 0 : 1 })),
      organ,
    ].filter((source) => source !== undefined)
    expect(standings.order(sources, 'choir').map(({ id }) => id)).toEqual(['bass', 'organ', 'choir', 'alto'])
  })

  test('hedge at the 95th percentile of recent latencies, within bounds', () => {
    expect(standings.hedgeAfterMs(1_000)).toBe(1_000)
    for (let ms = 1; ms <= 100; ms++) standings.succeeded('alto', ms * 2)
    expect(standings.hedgeAfterMs(1_000)).toBe(192)
    expect(standings.hedgeAfterMs(150)).toBe(150)
    for (let i = 0; i < 100; i++) standings.succeeded('alto', 3)
    expect(standings.hedgeAfterMs(1_000)).toBe(50)
  })

  test('remember a bounded count of sources', () => {
    for (let i = 0; i < 1_500; i++) standings.succeeded(`source ${i}`, 1)
    expect(standings.snapshot()).toHaveLength(1_000)
    expect(standings.snapshot().at(-1)).toMatchObject({ source: 'source 1499' })
  })
})

test('whatever sources do, a retriever gives the right bytes if any source has them, and no others ever', async () => {
  const block = Uint8Array.of(1, 2, 3)
  const cid = await cidOf(block, 'raw')
  const behaviours: { [name: string]: (signal: AbortSignal) => Promise<Uint8Array> } = {
    honest: async () => block.slice(),
    lying: async () => Uint8Array.of(3, 2, 1),
    broken: () => Promise.reject(new Error('broken')),
    silent: () => new Promise(() => undefined),
  }
  const behaviour = fc.constantFrom('honest', 'lying', 'broken', 'silent')
  const tier = fc.nat(2)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ behaviour, tier }), { maxLength: 8 }), async (kinds) => {
      const sources = kinds.map(({ behaviour, tier }, index): Source => {
        const get = (_: string, signal: AbortSignal) =>
          behaviours[behaviour]?.(signal) ?? Promise.reject(new Error('no such behaviour'))
        return { id: String(index), tier, get }
      })
      const { retrieve } = createRetriever({
        fetch,
        now: () => performance.now(),
        sources: () => sources,
        timeoutMs: 10,
        hedgeAfterMs: 1,
      })
      const result = await retrieve(cid).catch((error: unknown) => error)
      if (kinds.some(({ behaviour }) => behaviour === 'honest')) {
        expect(result).toMatchObject({ bytes: block })
      } else {
        expect(result).toBeInstanceOf(RetrievalFailed)
        expect(new Set((result as RetrievalFailed).faults.map(({ source }) => source))).toEqual(
          new Set(sources.map(({ id }) => id)),
        )
      }
    }),
  )
})

function order(prefer?: string): string[] {
  return standings.order(all, prefer).map(({ id }) => id)
}

function latencyOf(id: string): number | undefined {
  return standings.snapshot().find(({ source }) => source === id)?.latencyMs
}

function failure(kind: AttemptFailed['kind'], retryAfterMs?: number): AttemptFailed {
  return new AttemptFailed(kind, 'for a test', retryAfterMs === undefined ? {} : { retryAfterMs })
}

function sourceOf(id: string): Source {
  return { id, url: (cid) => `https://${id}.example/ipfs/${cid}` }
}
