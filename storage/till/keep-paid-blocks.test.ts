import { createLogger } from '@hexachord/platform/process'
import type { SubjectState } from '@hexachord/protocol/actions'
import { type Hash, type Subject, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { CatalogueChange } from '../catalogue/index.ts'
import { eventually } from '../ipfs/fixtures/eventually.ts'
import { BlockNotFound } from '../ipfs/index.ts'
import { makeTestTrack, type TestTrack } from '../tracks/fixtures/index.ts'
import { loadLocalTrack } from '../tracks/index.ts'
import { openPaidBlocks, type PaidBlocks } from './gate/index.ts'
import { keepPaidBlocks, type PaidBlockKeeper } from './keep-paid-blocks.ts'

const author = `0x${'0d'.repeat(20)}` as const
const subjects = Array.from({ length: 5 }, (_, index) => subjectOf(author, BigInt(index + 1)))
const [sold = subjectOf(author, 1n)] = subjects
const terms = { unitPrice: 1n, nodeBps: 1_000, curatorBps: 0, version: 1 }

let track: TestTrack
let blocks: Map<string, Uint8Array>
/** How often it was looked whether something is here. */
let looks: number
let registered: Set<Subject>
/** Blocks that the catalogue has still to read, before which it knows of no track; undefined when it knows all. */
let behind: number | undefined
/** How often it was asked about a track meanwhile. */
let asked: number
let paidBlocks: PaidBlocks
let keeper: PaidBlockKeeper
let change: (change: Partial<CatalogueChange>) => void
let setTerms: (subject: Subject) => void
beforeEach(async () => {
  track = await makeTestTrack({ segments: 3 })
  blocks = new Map()
  looks = 0
  registered = new Set(subjects)
  behind = undefined
  asked = 0
  paidBlocks = openPaidBlocks(':memory:')
})
afterEach(async () => {
  await keeper.close()
  paidBlocks.close()
})

const ipfs = {
  async has(cid: string) {
    looks += 1
    return blocks.has(cid)
  },
  async get(cid: string) {
    const bytes = blocks.get(cid)
    if (bytes === undefined) throw new BlockNotFound(cid)
    return bytes
  },
}

function stateOf(): SubjectState {
  const body = { manifest: track.manifest, operators: [] }
  const state = { kind: 'track', author, deleted: false, createdAtMs: 1, updatedAtMs: 1, body }
  return state as unknown as SubjectState
}

/** @param everyMs a rest that no test would wait for, unless it says another */
function keep({ everyMs = 3_600_000, perRound = 1_000 } = {}): void {
  const names = () => [...registered].map(subjectToBytes32).sort()
  keeper = keepPaidBlocks({
    ...{ paidBlocks, ipfs, everyMs, perRound, logger: createLogger({ service: 'test', level: 'silent' }) },
    view: {
      tracks: (after: Hash | undefined, limit) =>
        names()
          .filter((name) => after === undefined || name > after)
          .slice(0, limit),
      termsOf: (name) => (names().includes(name) ? terms : undefined),
      onChange(listener) {
        setTerms = (subject) => {
          registered.add(subject)
          listener({ channels: [], tracks: [subjectToBytes32(subject)] })
        }
        return () => undefined
      },
    },
    catalogue: {
      subject() {
        if (behind === undefined) return stateOf()
        asked += 1
        return undefined
      },
      behind: () => behind ?? 0,
      tracksWith: () => subjects.map((subject) => ({ subject, state: stateOf() })),
      onChange(listener) {
        const nothing = { subjects: [], actions: [], operators: false, ranks: false, reorganised: false }
        change = (changed) => listener({ ...nothing, ...changed })
        return () => undefined
      },
    },
  })
}

function arrive(): void {
  for (const { cid, bytes } of track.blocks) blocks.set(cid, bytes)
}

const known = () => subjects.filter((subject) => paidBlocks.has(subject, track.manifest))

describe('a track that costs something', () => {
  test('is known before any block of it is brought here, whoever else has published it', async () => {
    arrive()
    const loaded = await loadLocalTrack(ipfs, track.manifest)
    blocks.clear()
    registered = new Set([sold])
    keep()
    keeper.expect(loaded)
    expect(known()).toEqual([sold])
    expect(paidBlocks.of(loaded.renditions[0]?.segments[0]?.[2]['/'] ?? '')).toMatchObject([{ unit: 0 }])
  })

  test('is known once something that is told of has come here, or it has got its price', async () => {
    registered = new Set([sold])
    keep()
    arrive()
    keeper.reconsider(sold)
    await eventually(known, (found) => found.length === 1)
    const [, later = sold] = subjects
    setTerms(later)
    await eventually(known, (found) => found.length === 2)
  })

  test('is known though nobody told of it, however much happens in the network meanwhile', async () => {
    keep({ everyMs: 20 })
    await eventually(
      () => looks,
      (count) => count >= subjects.length,
    )
    arrive()
    const busy = setInterval(() => change({ subjects: [sold] }), 1)
    try {
      await eventually(known, (found) => found.length === subjects.length)
    } finally {
      clearInterval(busy)
    }
  })

  test('stays known while the chain is read anew, and for no longer if it is not on it any more', async () => {
    arrive()
    keep({ everyMs: 20 })
    await eventually(known, (found) => found.length === subjects.length)
    behind = Number.POSITIVE_INFINITY
    await eventually(
      () => asked,
      (times) => times > 2 * subjects.length,
    )
    expect(known()).toEqual(subjects)
    behind = 0
    await eventually(known, (found) => found.length === 0)
  })

  test('is known wherever it stands among more than are looked at in one round', async () => {
    arrive()
    keep({ everyMs: 20, perRound: 2 })
    await eventually(known, (found) => found.length === subjects.length)
  })
})
