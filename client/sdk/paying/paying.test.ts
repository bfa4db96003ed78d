import { subjectToBytes32 } from '@hexachord/protocol/names'
import { unitsOfBlocks } from '@hexachord/protocol/payments'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  connectionTo,
  listener,
  mapPurseMemory,
  operatorOf,
  paymentsNetwork,
  purseAt,
  segmentsOf,
  serveOperators,
  startTill,
  subject,
  type TillFixture,
  type TillOptions,
  unitPrice,
  until,
} from '../fixtures/index.ts'
import {
  type EscrowReader,
  emptyState,
  type PaidPlay,
  type Purse,
  type PurseMemory,
  type PurseOptions,
  playPaid,
} from './index.ts'
import { channelWith, withChannel } from './purse-state.ts'
import { linesOf } from './voucher-parts.ts'

const { track, blocks } = await exampleTrack()
const units = unitsOfBlocks(track)
/** The one of its renditions in which no segment stands twice. */
const segments = segmentsOf(track, 2)
const curator = '0x00000000000000000000000000000000000c0de5'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function tillOf(options: Partial<TillOptions> = {}): Promise<TillFixture> {
  const till = await startTill({ blocks, track, subject, unitPrice, ...options })
  closing.push(till.close)
  return till
}

/** A purse whose home nodes are these, in this order. */
async function purseOf(tills: readonly TillFixture[], options: Partial<PurseOptions> = {}): Promise<Purse> {
  const discovery = await serveOperators(tills.map((till) => operatorOf(till)))
  closing.push(discovery.close)
  const homes = tills.map(({ operator }) => operator)
  return purseAt(discovery, { memory: mapPurseMemory({ ...emptyState(), homes }), homes: 2, ...options })
}

async function playOf(
  purse: Purse,
  options: { stallMs?: number; curator?: `0x${string}`; signal?: AbortSignal } = {},
): Promise<PaidPlay> {
  const play = await playPaid(purse, { track: subject, ...options })
  if (play === undefined) throw new Error('the track is free')
  return play
}

async function hear(play: PaidPlay, cids: readonly string[] = segments): Promise<string[]> {
  const sources = []
  for (const cid of cids) {
    const { bytes, source } = await play.block(cid, units.get(cid) ?? 0)
    expect(Buffer.compare(bytes, blocks.get(cid) ?? Buffer.alloc(0))).toBe(0)
    sources.push(source)
  }
  return sources
}

const cumulativeAt = (purse: Purse, till: TillFixture) => purse.channel(till.operator).cumulative

describe('a track that costs something', () => {
  test('is paid unit by unit, all of it and no more', async () => {
    const till = await tillOf()
    const purse = await purseOf([till])
    expect(await hear(await playOf(purse))).toEqual(segments.map(() => till.origin))
    expect(till.owed(listener.address)).toBe(4n * unitPrice)
    expect(cumulativeAt(purse, till)).toBe(4n * unitPrice)
  })

  test('is paid for one ahead, so that only the first segment waits for a payment', async () => {
    const till = await tillOf()
    const play = await playOf(await purseOf([till]))
    await hear(play, segments.slice(0, 1))
    expect(till.owed(listener.address)).toBe(2n * unitPrice)
    const payments = till.requests.filter((line) => line.includes('/pay/')).length
    await hear(play, segments.slice(1, 2))
    // It did not have to ask before it fetched.
    expect(till.requests.slice(payments + 1)[0]).toContain('/ipfs/')
  })

  test('is asked for at once where it is paid, before anything else has its turn', async () => {
    const till = await tillOf()
    const discovery = await serveOperators([operatorOf(till)])
    closing.push(discovery.close)
    const asked: string[] = []
    const connection = connectionTo({
      discovery: discovery.origin,
      http(url, init) {
        asked.push(String(url))
        return fetch(url, init)
      },
    })
    const play = await playOf(await purseAt(discovery, { connection }))
    await hear(play, segments.slice(0, 1))
    const before = asked.length
    const next = hear(play, segments.slice(1, 2))
    expect(asked.slice(before)).toEqual([expect.stringContaining(`/ipfs/${segments[1]}`)])
    await next
  })

  test('costs nothing twice when it is heard again, or in another rendition', async () => {
    const till = await tillOf()
    const purse = await purseOf([till])
    const play = await playOf(purse)
    await hear(play)
    await hear(play, segmentsOf(track, 1).slice(0, 3))
    await hear(play, segments)
    expect(cumulativeAt(purse, till)).toBe(4n * unitPrice)
  })

  test('is paid by one voucher where many segments are fetched at once', async () => {
    const till = await tillOf()
    const play = await playOf(await purseOf([till]))
    await Promise.all(segments.map((cid) => play.block(cid, units.get(cid) ?? 0)))
    expect(till.owed(listener.address)).toBe(4n * unitPrice)
    expect(till.vouchers.length).toBeLessThan(3)
  })

  test('is paid for with the opening of its session where it is about to be played', async () => {
    const till = await tillOf()
    const purse = await purseOf([till])
    await hear(await playOf(purse))
    const before = till.requests.length
    const play = await playOf(purse)
    void play.prepare(0, segments.length - 1)
    await hear(play, segments.slice(0, 2))
    expect(till.requests.slice(before, before + 3)).toEqual([
      'POST /pay/sessions',
      expect.stringContaining('GET /ipfs/'),
      expect.stringContaining('GET /ipfs/'),
    ])
    await hear(play, segments.slice(2))
    expect(cumulativeAt(purse, till)).toBe(8n * unitPrice)
  })

  test('is paid once where the till refuses what came with the opening', async () => {
    const till = await tillOf()
    const state = emptyState()
    const channel = { ...channelWith(state, till.operator), reserved: 1_000_000n }
    const memory = mapPurseMemory({ ...withChannel(state, till.operator, channel), homes: [till.operator] })
    const purse = await purseOf([till], { memory })
    const play = await playOf(purse)
    void play.prepare(0, segments.length - 1)
    await hear(play)
    expect(till.requests.filter((line) => line.startsWith('POST')).slice(0, 3)).toEqual([
      'POST /pay/sessions',
      'POST /pay/reserves',
      'POST /pay/vouchers',
    ])
    expect(till.owed(listener.address)).toBe(4n * unitPrice)
    expect(memory.kept.map(({ unit }) => unit).sort()).toEqual([0, 1, 2, 3])
  })

  test('of one unit is paid for one, also with the opening, and no budget is passed by that', async () => {
    let length = segments.length
    const till = await tillOf({ report: (report) => ({ ...report, units: length }) })
    const purse = await purseOf([till])
    await hear(await playOf(purse))
    length = 1
    const single = await playOf(purse)
    await single.prepare(0, 0)
    await until('it is paid', () => till.owed(listener.address) === 5n * unitPrice)
    length = segments.length
    await purse.setBudget({ perHour: 6n * unitPrice, perMonth: null })
    const poor = await playOf(purse)
    await poor.prepare(0, segments.length - 1)
    await expect(hear(poor)).rejects.toMatchObject({ lack: 'budget' })
    expect(cumulativeAt(purse, till)).toBe(6n * unitPrice)
  })

  test('keeps nobody waiting for its payment when the play has ended', async () => {
    const till = await tillOf()
    const state = emptyState()
    const channel = { ...channelWith(state, till.operator), reserved: 1_000_000n }
    const kept = mapPurseMemory({ ...withChannel(state, till.operator, channel), homes: [till.operator] })
    const memory = { ...kept, update: () => new Promise<never>(() => undefined) }
    const life = new AbortController()
    const play = await playOf(await purseOf([till], { memory }), { signal: life.signal })
    const prepared = play.prepare(0, segments.length - 1)
    life.abort()
    await prepared
    expect(till.vouchers).toEqual([])
  })

  test('credits the curator who led there, and has a receipt for each unit', async () => {
    const till = await tillOf()
    const memory = mapPurseMemory()
    const spendings: bigint[] = []
    const purse = await purseOf([till], { memory, onSpend: ({ total }) => spendings.push(total) })
    await hear(await playOf(purse, { curator }))
    expect(purse.channel(till.operator).lines).toMatchObject([{ curator, amount: 4n * unitPrice }])
    expect(memory.kept.map(({ unit }) => unit).sort()).toEqual([0, 1, 2, 3])
    expect(memory.kept[0]).toMatchObject({ track: subject, node: till.operator, curator, amount: unitPrice })
    expect(spendings).toEqual([1n, 2n, 3n, 4n].map((count) => count * unitPrice))
  })

  test('is heard without payment where the node gives a preview', async () => {
    const till = await tillOf({ offer: { previewUnits: 2 } })
    const purse = await purseOf([till])
    const play = await playOf(purse)
    await hear(play, segments.slice(0, 2))
    expect(till.requests.filter((line) => line.startsWith('POST'))).toEqual([])
    await hear(play, segments.slice(2))
    expect(cumulativeAt(purse, till)).toBe(2n * unitPrice)
  })

  test('is free when the artist asks for nothing', async () => {
    const purse = await purseOf([], { termsOf: async () => undefined })
    await expect(playPaid(purse, { track: subject })).resolves.toBeUndefined()
  })

  test('goes on after a checkpoint, whether or not the chain has it yet', async () => {
    const till = await tillOf()
    const purse = await purseOf([till])
    const play = await playOf(purse)
    await hear(play, segments.slice(0, 2))
    await until('the unit ahead is paid', () => till.owed(listener.address) === 3n * unitPrice)
    till.checkpoint()
    await hear(play, segments.slice(2))
    expect(cumulativeAt(purse, till)).toBe(4n * unitPrice)
    till.checkpoint(true)
    await hear(await playOf(purse))
    expect(purse.channel(till.operator)).toMatchObject({ base: 4n * unitPrice, cumulative: 8n * unitPrice })
  })

  test('is paid at least a unit in each new line, also where some is left from another price', async () => {
    const terms = { unitPrice, nodeBps: 1_500, curatorBps: 0 }
    const till = await startTill({
      ...{ blocks, track, subject },
      get unitPrice() {
        return terms.unitPrice
      },
    })
    closing.push(till.close)
    const purse = await purseOf([till], { termsOf: async () => ({ ...terms }) })
    await hear(await playOf(purse), segments.slice(0, 1))
    // What was paid ahead is a unit and a half now.
    terms.unitPrice = (unitPrice * 2n) / 3n
    till.checkpoint()
    await Promise.all([hear(await playOf(purse, { curator })), hear(await playOf(purse))])
    const since = till.vouchers.filter(({ base }) => base > 0n).flatMap((sent) => linesOf(sent))
    expect(since.length).toBeGreaterThan(0)
    expect(since.filter(({ amount }) => amount < terms.unitPrice)).toEqual([])
  })

  test('goes on after the node has restarted and forgotten its sessions', async () => {
    const till = await tillOf()
    const purse = await purseOf([till])
    const play = await playOf(purse)
    await hear(play, segments.slice(0, 2))
    till.restart()
    await hear(play, segments.slice(2))
    expect(cumulativeAt(purse, till)).toBe(4n * unitPrice)
  })
})

describe('a purse', () => {
  test('reserves an hour on first use, and no more than is deposited', async () => {
    const deposits = new Map([[listener.address, 10_000_000n]])
    const till = await tillOf({ deposits })
    await hear(await playOf(await purseOf([till])))
    expect(deposits.get(listener.address)).toBe(10_000_000n - 600n * unitPrice)

    const poor = await tillOf({ deposits: new Map([[listener.address, 20n * unitPrice]]) })
    expect(await hear(await playOf(await purseOf([poor])))).toHaveLength(4)
  })

  test('reserves anew what was released elsewhere while it plays, and goes on', async () => {
    const till = await tillOf()
    const released = 597n * unitPrice
    const chain = { reserved: 600n * unitPrice, settled: 0n, released, releasing: 0n, readyAt: 0 }
    const reader = { channel: async () => chain, balanceOf: async () => 600n * unitPrice }
    const purse = await purseOf([till], { reader: reader as unknown as EscrowReader })
    const play = await playOf(purse)
    await hear(play, segments.slice(0, 2))
    await until('the unit ahead is paid', () => till.owed(listener.address) === 3n * unitPrice)
    till.release()
    await hear(play, segments.slice(2))
    expect(till.owed(listener.address)).toBe(4n * unitPrice)
    expect(purse.channel(till.operator)).toMatchObject({ cumulative: 4n * unitPrice, released })
  })

  test.each([3_600_000, -3_600_000])('is not put off by a clock that is %d ms wrong', async (ms) => {
    const till = await tillOf({ now: () => Date.now() + ms })
    expect(await hear(await playOf(await purseOf([till])))).toHaveLength(4)
    expect(till.requests.filter((line) => line === 'POST /pay/sessions')).toHaveLength(2)
  })

  test('says what to do when there is no money', async () => {
    const till = await tillOf({ deposits: new Map() })
    const play = await playOf(await purseOf([till]))
    await expect(play.block(segments[0] ?? '', 0)).rejects.toMatchObject({
      name: 'PaymentNeeded',
      lack: 'balance',
      message: expect.stringContaining('deposit more'),
    })
    expect(till.vouchers).toEqual([])
  })

  test('never passes its budget, and says so', async () => {
    const till = await tillOf()
    const budget = { perHour: 2n * unitPrice, perMonth: null }
    const purse = await purseOf([till])
    await purse.setBudget(budget)
    const play = await playOf(purse)
    await hear(play, segments.slice(0, 2))
    await expect(hear(play, segments.slice(2))).rejects.toMatchObject({ lack: 'budget', left: 0n })
    expect(cumulativeAt(purse, till)).toBe(2n * unitPrice)
  })

  test('plays as far as the budget goes, also where several segments are fetched at once', async () => {
    const till = await tillOf()
    const purse = await purseOf([till], { most: 3n * unitPrice })
    const play = await playOf(purse)
    const heard = await Promise.allSettled(segments.map((cid) => play.block(cid, units.get(cid) ?? 0)))
    expect(heard.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected'])
    expect(cumulativeAt(purse, till)).toBe(3n * unitPrice)
  })

  test('never passes what it may cost at most, also where two nodes are paid at once', async () => {
    const tills = [await tillOf(), await tillOf()]
    const kept = mapPurseMemory()
    let isFull = false
    const update: PurseMemory['update'] = (...change) =>
      isFull ? Promise.reject(new Error('the disk is full')) : kept.update(...change)
    const purse = await purseOf(tills, { most: unitPrice, memory: { ...kept, update } })
    const sign = ({ operator }: TillFixture) =>
      purse.sign({ track: subject, node: operator, curator, parts: [{ unit: 0, amount: unitPrice }] })
    isFull = true
    await expect(Promise.all(tills.map(sign))).rejects.toThrow()
    isFull = false
    // What was not signed may be signed later.
    const [first, second] = await Promise.allSettled(tills.map(sign))
    expect(first).toMatchObject({ status: 'fulfilled' })
    expect(second).toMatchObject({ status: 'rejected', reason: { lack: 'budget', left: 0n } })
    expect(kept.kept).toHaveLength(1)
  })

  test('goes on where it was after a crash between writing a voucher down and sending it', async () => {
    const till = await tillOf()
    const memory = mapPurseMemory()
    const broken: typeof fetch = (url, init) =>
      String(url).endsWith('/pay/vouchers') ? Promise.reject(new Error('power is gone')) : fetch(url, init)
    const before = await purseOf([till], { memory })
    const cut = { ...before, connection: { ...before.connection, http: broken } }
    await expect(hear(await playOf(cut))).rejects.toThrow('power is gone')
    const signed = memory.state.channels[till.operator]?.cumulative ?? 0n
    expect(signed).toBeGreaterThan(0n)

    const after = await purseOf([till], { memory })
    await hear(await playOf(after))
    expect(till.vouchers[0]?.cumulative).toBe(signed)
    expect(cumulativeAt(after, till)).toBe(4n * unitPrice)
  })

  test('pays in a second network only for what is heard there, and knows the first one still', async () => {
    const payments = { ...paymentsNetwork.payments, streamEscrow: `0x${'e5'.repeat(20)}` }
    const successor = { ...paymentsNetwork, payments }
    const [old, till] = [await tillOf(), await tillOf({ network: successor })]
    const channel = { ...channelWith(emptyState(), till.operator), cumulative: 100n, reserved: 1_000n }
    const lines = [{ track: subjectToBytes32(subject), curator, amount: 100n } as const]
    const before = withChannel(emptyState(), till.operator, { ...channel, lines })
    const memory = mapPurseMemory(before)
    // What was kept before networks were told apart is of the first that it is opened with.
    const first = await purseOf([old], { memory })
    expect(first.channel(till.operator)).toMatchObject({ cumulative: 100n })
    await hear(await playOf(first))
    const second = await purseOf([till], { memory, network: successor })
    await second.setBudget({ perHour: null, perMonth: 8n * unitPrice })
    await hear(await playOf(second))
    expect(cumulativeAt(second, till)).toBe(4n * unitPrice)
    expect(till.owed(listener.address)).toBe(4n * unitPrice)
    const again = await purseOf([old], { memory })
    expect(cumulativeAt(again, old)).toBe(4n * unitPrice)
    expect(again.channel(till.operator)).toMatchObject({ cumulative: 100n })
    // A budget counts what the key pays anywhere.
    await expect(hear(await playOf(again))).rejects.toMatchObject({ lack: 'budget', left: 0n })
  })

  test('learns from its own signature what it has forgotten', async () => {
    const till = await tillOf()
    await hear(await playOf(await purseOf([till])))
    const purse = await purseOf([till])
    await hear(await playOf(purse))
    expect(cumulativeAt(purse, till)).toBe(8n * unitPrice)
    expect(till.owed(listener.address)).toBe(8n * unitPrice)
  })
})
