import { parseAddress } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import { receiptSeconds, signReceipt } from '@hexachord/protocol/receipts'
import type { Domain } from '@hexachord/protocol/signing'
import { describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { anUpload, aPlan, aTrack } from '../fixtures/an-upload.ts'
import type { Upload, UploadReplica } from '../uploads/index.ts'
import { blockListOf } from './block-list-routes.ts'
import { offeredByteLimit } from './byte-limit.ts'
import { mistakeInReceipt } from './check-receipt.ts'
import { nextStep, waitingFor } from './replicate-upload.ts'

const hotKey = new Wallet(`0x${'7'.repeat(64)}`)

function operator(letter: string, controller = letter): Operator {
  return {
    operator: `0x${letter.repeat(40)}`,
    controller: `0x${controller.repeat(40)}`,
    endpoint: `https://${letter}.example`,
    peerId: '0x00',
    hotKey: parseAddress(hotKey.address),
    capacityBytes: 1n,
    exiting: false,
    stakeWei: 1n,
    active: true,
  }
}

const [a, b, c, d] = [operator('a'), operator('b'), operator('c'), operator('d')]
const ranks = { operators: [a, b, c, d], copies: 3 }
const replica = ({ operator, endpoint }: Operator, state: UploadReplica['state']): UploadReplica => ({
  operator,
  endpoint,
  state,
  blocks: 0,
})

function step(
  upload: Partial<Upload>,
  progress: { asked?: Operator[]; failed?: Operator[]; silent?: Operator[] } = {},
  of = ranks,
) {
  const { ready, ask, exhausted } = planOf(upload, progress, of)
  return { ready, exhausted, ask: ask.map(({ operator }) => operator[2]) }
}

function planOf(
  upload: Partial<Upload>,
  progress: { asked?: Operator[]; failed?: Operator[]; silent?: Operator[] },
  of = ranks,
) {
  return nextStep(anUpload(upload), of, {
    asked: new Set((progress.asked ?? []).map(({ operator }) => operator)),
    silent: new Set((progress.silent ?? []).map(({ operator }) => operator)),
    outcomes: new Map((progress.failed ?? []).map(({ operator }) => [operator, 'failed'])),
  })
}

describe('replication', () => {
  test('begins with the first in rank, while the track is still being made', () => {
    expect(step({ state: 'processing' })).toEqual({ ready: false, exhausted: false, ask: ['a', 'b', 'c'] })
  })

  test('asks nobody more while enough are asked', () => {
    expect(step({ state: 'processing' }, { asked: [a, b, c] }).ask).toEqual([])
  })

  test('walks down the ranks past those who refuse or stay away', () => {
    const replicas = [replica(a, 'refused')]
    expect(step({ state: 'processing', replicas }, { asked: [c], failed: [b] }).ask).toEqual(['d'])
  })

  test('is ready with all copies', () => {
    const replicas = [replica(a, 'held'), replica(b, 'held'), replica(c, 'held')]
    expect(step({ state: 'replicating', replicas })).toMatchObject({ ready: true, ask: [] })
  })

  test('is ready with fewer only when everybody else was asked in vain and indexers would accept it', () => {
    const two = [replica(a, 'held'), replica(b, 'held')]
    expect(step({ state: 'replicating', replicas: two }, { asked: [c] }).ready).toBe(false)
    expect(step({ state: 'replicating', replicas: two }, { failed: [c, d] }).ready).toBe(true)
    const one = [replica(a, 'held')]
    expect(step({ state: 'replicating', replicas: one }, { failed: [b, c, d] })).toEqual({
      ready: false,
      exhausted: true,
      ask: [],
    })
  })

  test('is content with one copy where there is one operator', () => {
    const only = { operators: [a], copies: 1 }
    expect(step({ state: 'replicating', replicas: [replica(a, 'held')] }, {}, only).ready).toBe(true)
  })

  test('waits where there is no operator', () => {
    const none = { operators: [], copies: 0 }
    expect(step({ state: 'replicating' }, {}, none)).toEqual({ ready: false, exhausted: true, ask: [] })
  })

  test('counts operators of one controller as one', () => {
    const twin = operator('e', 'a')
    const of = { operators: [a, twin, b], copies: 2 }
    const held = [replica(a, 'held')]
    expect(step({ state: 'replicating', replicas: held }, {}, of).ask).toEqual(['b'])
    const both = [replica(a, 'held'), replica(twin, 'held')]
    expect(step({ state: 'replicating', replicas: both }, { asked: [b] }, of).ready).toBe(false)
  })

  test('asks again those whose offer an earlier run has left open', () => {
    expect(step({ state: 'replicating', replicas: [replica(a, 'pulling')] }).ask).toEqual(['a', 'b', 'c'])
  })
})

describe('an operator that says nothing', () => {
  test('is not waited for: the next in rank is asked beside it', () => {
    const asked = [a, b, c]
    expect(step({ state: 'processing' }, { asked, silent: [b] }).ask).toEqual(['d'])
    expect(step({ state: 'processing' }, { asked: [...asked, d], silent: [b] }).ask).toEqual([])
  })

  test('still counts when it comes back', () => {
    const replicas = [replica(a, 'held'), replica(b, 'held'), replica(c, 'held'), replica(d, 'pulling')]
    expect(step({ state: 'replicating', replicas }, { asked: [d] }).ready).toBe(true)
  })
})

describe('an upload that every operator has refused for good', () => {
  const refused = (...operators: Operator[]) => operators.map((operator) => replica(operator, 'refused'))
  const isOver = (
    replicas: UploadReplica[],
    progress: Parameters<typeof planOf>[1] = {},
    state: Upload['state'] = 'replicating',
  ) => planOf({ state, replicas }, progress).refusedByAll

  test('is over', () => {
    expect(isOver(refused(a, b, c, d))).toBe(true)
    expect(isOver([...refused(b, c, d), replica(a, 'held')])).toBe(true)
  })

  test('is not over while one may still take it, or it is still being made', () => {
    expect(isOver(refused(a, b, c), { failed: [d] })).toBe(false)
    expect(isOver(refused(a, b, c), { asked: [d] })).toBe(false)
    expect(isOver(refused(a, b, c, d), {}, 'processing')).toBe(false)
  })

  test('is not over where it has copies enough', () => {
    expect(isOver([...refused(c, d), replica(a, 'held'), replica(b, 'held')])).toBe(false)
  })
})

describe('what an upload waits for', () => {
  const words = (replicas: UploadReplica[], copies: number, held: number) =>
    waitingFor({ state: 'replicating', replicas }, { operators: [], copies }, held)

  test('is nothing with all copies', () => {
    expect(words([], 3, 3)).toBeUndefined()
    expect(waitingFor({ state: 'processing', replicas: [] }, ranks, 0)).toBeUndefined()
  })

  test('is told with what each operator says', () => {
    const replicas = [
      replica(a, 'held'),
      { ...replica(b, 'failed'), reason: 'no room' },
      { ...replica(c, 'refused'), reason: 'not today' },
    ]
    expect(words(replicas, 3, 1)).toBe(
      '1 of 3 copies are there; https://b.example: no room; https://c.example: not today',
    )
  })

  test('is told where there are fewer operators than copies, or none', () => {
    expect(words([], 2, 2)).toBe('the network has operators for 2 of 3 copies')
    expect(words([], 0, 0)).toMatch(/^no operator is active/)
  })
})

describe('the offered byte limit', () => {
  const source = {
    ...{ codec: 'flac', profile: undefined, sampleRateHz: 44_100, channels: 2, lossless: true },
    ...{ bitsPerSample: 16, bitRate: 900_000, durationMs: 100_000, durationStated: true },
  }
  test('is what is planned and a little more', () => {
    const limit = offeredByteLimit(
      anUpload({ source, renditions: [{ plan: aPlan, state: 'waiting', doneMs: 0, segments: 0 }] }),
    )
    expect(limit).toBeGreaterThan(2_000_000 * 1.1)
    expect(limit).toBeLessThan(7_000_000)
  })
  test('has room for the file itself where it becomes part of the track', () => {
    const [without, kept] = [false, true].map((keepOriginal) =>
      offeredByteLimit(anUpload({ source, keepOriginal, byteLength: 9_000_000 })),
    )
    expect((kept ?? 0) - (without ?? 0)).toBe(9_000_000)
  })
  test('is never above the grant of the author', () => {
    const renditions = [
      { plan: { ...aPlan, bitRate: 100_000_000 }, state: 'waiting' as const, doneMs: 0, segments: 0 },
    ]
    expect(offeredByteLimit(anUpload({ source, renditions }))).toBe(50_000_000)
  })
})

describe('the list of blocks', () => {
  const blocks = (count: number) => new Array(count).fill({ cid: 'x', byteLength: 1 })
  const complete = anUpload({ state: 'replicating', track: aTrack })
  test('grows as long as the track is being made', () => {
    expect(blockListOf(anUpload({ state: 'processing' }), blocks(3), 4)).toMatchObject({
      next: '7',
      state: 'growing',
      manifest: null,
    })
  })
  test('is complete on its last page only', () => {
    expect(blockListOf(complete, blocks(1000), 0)).toMatchObject({ state: 'growing', manifest: null })
    expect(blockListOf(complete, blocks(2), 1000)).toMatchObject({
      state: 'complete',
      manifest: aTrack.manifest,
    })
    expect(blockListOf(complete, [], 1002)).toMatchObject({ state: 'complete', next: '1002' })
  })
  test('of an upload that came to nothing says so', () => {
    expect(blockListOf(anUpload({ state: 'cancelled', track: aTrack }), [], 5)).toMatchObject({
      state: 'failed',
      manifest: null,
    })
  })
})

describe('a receipt', () => {
  const domain: Domain = {
    ...{ name: 'Hexachord', version: '1', chainId: 1 },
    verifyingContract: `0x${'c'.repeat(40)}`,
  }
  const upload = anUpload({ track: aTrack })
  const right = {
    ...{ operator: a.operator, subject: upload.subject, manifest: aTrack.manifest },
    ...{ storageRoot: aTrack.storageRoot, leafCount: 10, byteLength: 2_500, blockNumber: 3 },
    validUntil: receiptSeconds,
  }
  const mistake = async (change: object, signer = hotKey, of = upload) =>
    mistakeInReceipt(await signReceipt(signer, domain, { ...right, ...change }), of, {
      ...{ operator: a, domain, nowMs: 1_000 },
    })

  test('counts when everything is right', async () => {
    expect(await mistake({})).toBeUndefined()
  })
  test.each<[string, object]>([
    ['another operator', { operator: b.operator }],
    ['another track', { subject: `0x${'a'.repeat(40)}-8` }],
    ['another manifest', { manifest: 'baguqeeraaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }],
    ['storage root', { storageRoot: `0x${'2'.repeat(64)}` }],
    ['storage root', { leafCount: 11 }],
    ['storage root', { byteLength: 2_501 }],
    ['not valid any more', { validUntil: 1 }],
  ])('does not count with %s', async (words, change) => {
    expect(await mistake(change)).toContain(words)
  })
  test('does not count when somebody else signed it, or before there is a track', async () => {
    const stranger = new Wallet(`0x${'8'.repeat(64)}`)
    expect(await mistake({}, stranger)).toContain('hot key')
    expect(await mistake({}, hotKey, anUpload())).toContain('before the track was complete')
  })
})
