import { describe, expect, jest, test } from '@jest/globals'
import { createRandom } from '../sample-music/random.ts'
import { fuzzTarget, inputOf } from './fuzz-target.ts'
import { describeFinding, fuzz } from './index.ts'
import { minimise } from './minimise.ts'
import { mutate } from './mutate.ts'
import { bytesTarget, named, type Target, textTarget } from './target.ts'

jest.setTimeout(180_000)

/** What reads what strangers send: each has a target of its own, or several that begin alike. */
const parsers = [
  'client/answer client/problem client/settings client/key-file client/upload-events client/upload-memory',
  'content-service/block-list content-service/bucket content-service/digests content-service/state',
  'creator-node/cover creator-node/guess-source creator-node/imported-segment creator-node/init-section',
  'creator-node/loudness creator-node/media-segment creator-node/probe-answer creator-node/tags',
  'creator-node/upload-metadata creator-node/wav-length',
  'discovery-provider/archive-list discovery-provider/cursor discovery-provider/resolve discovery-provider/subsonic',
  'platform/blocks-of-a-node platform/logs-of-a-node platform/network-file platform/public-address',
  'platform/revert-reason platform/variables',
  'storage/archive-list storage/denylist storage/gateway-accept storage/gateway-cid storage/gateway-path',
  'storage/gateway-query storage/gateway-range storage/kubo-answer storage/kubo-failure storage/peer',
  'storage/till/journal storage/till/opening storage/till/payment storage/till/session-parameter',
].flatMap((line) => line.split(' '))

/** Another one for each day on which somebody wants to know more: `scripts/fuzz --seconds 60`. */
const seed = 6

test('every parser reads or refuses whatever it is given, soon and in little memory', async () => {
  const reports = await fuzz({ seed })
  const found = await Promise.all(
    reports.flatMap(({ finding }) => finding ?? []).map((one) => describeFinding(one)),
  )
  expect(found).toEqual([])
  expect(reports.length).toBeGreaterThan(65)
  const tried = (parser: string) => reports.some(({ target }) => target.startsWith(parser))
  expect(parsers.filter((parser) => !tried(parser))).toEqual([])
  for (const { target, cases, accepted } of reports) {
    expect({ target, cases: cases > 50, accepted: accepted > 0 }).toEqual({
      target,
      cases: true,
      accepted: true,
    })
  }
})

describe('a parser with a bug', () => {
  const refuses = named('SyntaxError')
  /** Until its first finding, or 3,000 cases. */
  const tried = (target: Target) => fuzzTarget(target, { seed, goesOn: (number) => number < 3_000 })

  test('is found out, with the smallest input that shows it and how to see it again', async () => {
    const read = (text: string) => {
      if (text.includes('..')) throw new TypeError('no dots were expected')
    }
    const target = textTarget({ name: 'dots', seeds: ['a/b', 'a.b.c'], refuses, read })
    const { finding } = await tried(target)
    expect(finding).toMatchObject({ target: 'dots', seed, input: '..' })
    expect(String(inputOf(target, seed, finding?.case ?? 0))).toContain('..')
    expect(finding && (await describeFinding(finding))).toMatch(
      /again: scripts\/fuzz dots --seed 6 --case \d+/,
    )
  })

  test('that believes a length is found out by the memory it takes', async () => {
    const held: Uint8Array[] = []
    const read = (bytes: Uint8Array) => {
      const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
      held.push(new Uint8Array(Math.min(length, 2 ** 29)).fill(1))
    }
    const target = bytesTarget({
      name: 'length',
      seeds: [new Uint8Array(8)],
      refuses: named('RangeError'),
      read,
    })
    const { finding } = await tried(target)
    held.length = 0
    expect(finding?.problem).toMatch(/^memory: the process grew by/)
  })

  test('that takes long is found out', async () => {
    const read = (text: string) => {
      const before = process.threadCpuUsage()
      while (text.length > 100 && process.threadCpuUsage(before).user < 60_000);
    }
    const target = textTarget({ name: 'slow', seeds: ['aaaa'], refuses, read })
    const { finding } = await fuzzTarget(target, { seed, mostCpuMs: 50, goesOn: (number) => number < 300 })
    expect(finding?.problem).toMatch(/^slow: it took \d+ ms/)
  })

  test('that does not take its own seeds any more is found out', async () => {
    const read = (text: string) => JSON.parse(text)
    const { finding } = await tried(textTarget({ name: 'seeds', seeds: ['{}', '{'], refuses, read }))
    expect(finding).toMatchObject({ case: 1, problem: expect.stringMatching(/^refused: seed 1/) })
  })
})

test('mutations follow from the seed, leave the corpus alone and are of its type', () => {
  const corpus = [Buffer.from('{"a":[1,2,{"b":"c"}]}'), new Uint8Array([1, 2, 3])]
  const before = corpus.map((bytes) => Buffer.from(bytes).toString('hex'))
  const made = (from: number) => {
    const random = createRandom(from)
    return Array.from({ length: 200 }, () => mutate(corpus, random))
  }
  expect(made(1)).toEqual(made(1))
  expect(made(1)).not.toEqual(made(2))
  expect(made(1).every((input) => input instanceof Uint8Array)).toBe(true)
  expect(corpus.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(before)
})

test('what is left out of a failing input is all that does not matter', async () => {
  const smallest = await minimise('aaaa(aa)aaa', async (text) => String(text).includes('('))
  expect(smallest).toBe('(')
})
