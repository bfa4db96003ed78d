import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SessionReport } from '@hexachord/protocol/payments'
import { unitsOfBlocks } from '@hexachord/protocol/payments'
import { DecryptError } from '@hexachord/protocol/premium'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  answerProblem,
  listener,
  mapPurseMemory,
  operatorOf,
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
import { emptyState, noLimit, type PaidPlay, type PurseOptions, playPaid } from './index.ts'
import { channelWith } from './purse-state.ts'

const { track, blocks } = await exampleTrack()
const units = unitsOfBlocks(track)
const segments = segmentsOf(track, 2)

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function tillOf(options: Partial<TillOptions> = {}): Promise<TillFixture> {
  const till = await startTill({ blocks, track, subject, unitPrice, ...options })
  closing.push(till.close)
  return till
}

/** Hears the whole track, with a bad node preferred to a good one. */
async function hearPast(
  bad: TillFixture,
  good: TillFixture,
  options: Partial<PurseOptions> & { stallMs?: number; hotKey?: `0x${string}` } = {},
) {
  const registered = operatorOf(bad, options.hotKey ? { hotKey: options.hotKey } : {})
  const discovery = await serveOperators([registered, operatorOf(good)])
  closing.push(discovery.close)
  const memory = mapPurseMemory({ ...emptyState(noLimit), homes: [bad.operator, good.operator] })
  const purse = await purseAt(discovery, { memory, ...options })
  const { stallMs = 10_000 } = options
  const play = await playPaid(purse, { track: subject, stallMs })
  const sources: string[] = []
  for (const cid of segments) {
    const block = await play?.block(cid, units.get(cid) ?? 0)
    expect(Buffer.compare(block?.bytes ?? Buffer.alloc(0), blocks.get(cid) ?? Buffer.alloc(1))).toBe(0)
    sources.push(block?.source ?? '')
  }
  return { purse, sources, lost: purse.channel(bad.operator).cumulative }
}

describe('a node', () => {
  test('that takes a voucher and stalls loses the play, and costs two units', async () => {
    const stalling = await tillOf({ onBlock: () => true })
    const good = await tillOf()
    const { sources, lost } = await hearPast(stalling, good, { stallMs: 30 })
    expect(sources).toEqual(segments.map(() => good.origin))
    // The one it was asked for and the one ahead, and the same again before it is left.
    expect(lost).toBeLessThanOrEqual(3n * unitPrice)
  })

  test('that stalls once is not left', async () => {
    let asked = 0
    const slow = await tillOf({
      onBlock: () => {
        asked += 1
        return asked === 2
      },
    })
    const good = await tillOf()
    const { sources } = await hearPast(slow, good, { stallMs: 500 })
    expect(sources).toEqual([slow, good, slow, slow].map(({ origin }) => origin))
    expect(good.owed(listener.address)).toBeLessThanOrEqual(2n * unitPrice)
  })

  test('that stalls while much is fetched at once has one thing at a time asked for elsewhere', async () => {
    const held: (() => void)[] = []
    let isBack = false
    const slow = await tillOf({
      onBlock(_request, response, block) {
        if (!isBack) held.push(() => response.end(block))
        return !isBack
      },
    })
    const good = await tillOf()
    const discovery = await serveOperators([operatorOf(slow), operatorOf(good)])
    closing.push(discovery.close)
    const memory = mapPurseMemory({ ...emptyState(noLimit), homes: [slow.operator, good.operator] })
    const play = await playPaid(await purseAt(discovery, { memory }), { track: subject, stallMs: 1_000 })
    const heard = segments.map(async (cid) => (await play?.block(cid, units.get(cid) ?? 0))?.source)
    await until('all are asked for', () => held.length === segments.length)
    expect(await Promise.race(heard)).toBe(good.origin)
    isBack = true
    for (const give of held) give()
    expect((await Promise.all(heard)).filter((source) => source === good.origin)).toHaveLength(1)
    // That one, and the one ahead.
    expect(good.owed(listener.address)).toBeLessThanOrEqual(2n * unitPrice)
  })

  test('that stalls is passed by within the budget alone, and the next one is asked once there is more', async () => {
    let held: ServerResponse | undefined
    let isGone = false
    const slow = await tillOf({
      onBlock(request, response) {
        if (isGone) return !!request.socket.destroy()
        held = response
        return true
      },
    })
    const good = await tillOf()
    const discovery = await serveOperators([operatorOf(slow), operatorOf(good)])
    closing.push(discovery.close)
    const budget = { perHour: unitPrice, perMonth: null }
    const homes = [slow.operator, good.operator]
    const purse = await purseAt(discovery, { memory: mapPurseMemory({ ...emptyState(budget), homes }) })
    // Long enough that the first one is paid in it, whatever else this machine does: there is money for one.
    const play = await playPaid(purse, { track: subject, stallMs: 1_000 })
    const [first = '', second = ''] = segments
    const heard = play?.block(first, 0)
    await until('the first one was paid and asked', () => held !== undefined)
    await until('the other one was asked', () => good.requests.includes('POST /pay/sessions'))
    held?.end(blocks.get(first))
    expect((await heard)?.source).toBe(slow.origin)
    expect(good.vouchers).toEqual([])
    isGone = true
    await purse.setBudget(noLimit)
    expect((await play?.block(second, 1))?.source).toBe(good.origin)
  })

  test.each<[string, Partial<TillOptions>]>([
    ['sends wrong bytes', { onBlock: (_request, response, block) => !!response.end(block.toReversed()) }],
    ['hangs up', { onBlock: (request) => !!request.socket.destroy() }],
    ['asks for money again and again', { onBlock: answerUnpaid }],
    ['has no till any more', { intercept: refuse('/pay/vouchers', 500) }],
    ['opens no session', { intercept: refuse('/pay/sessions', 503) }],
    ['refuses every voucher', { intercept: refuse('/pay/vouchers', 402) }],
  ])('that %s is left after two failures', async (_, options) => {
    const [bad, good] = [await tillOf(options), await tillOf()]
    const { sources, lost } = await hearPast(bad, good)
    expect(sources).toEqual(segments.map(() => good.origin))
    expect(lost).toBeLessThanOrEqual(4n * unitPrice)
    expect(good.owed(listener.address)).toBe(4n * unitPrice)
  })

  test('that denies one unit while it sells all others is asked for that one at another node, soon', async () => {
    const [denied = '', ...others] = segments
    const [second = ''] = others
    let play: PaidPlay | undefined
    let lies = 0
    const liar = await tillOf({
      onBlock(request, response) {
        if (!request.url?.includes(denied)) return false
        const other = others[lies % others.length] ?? second
        lies += 1
        // Each time something else is bought, and given, before it says that this was not paid.
        const bought = play?.block(other, units.get(other) ?? 0) ?? Promise.resolve()
        bought.then(
          () => answerUnpaid(request, response),
          () => response.destroy(),
        )
        return true
      },
    })
    const good = await tillOf()
    const discovery = await serveOperators([operatorOf(liar), operatorOf(good)])
    closing.push(discovery.close)
    const memory = mapPurseMemory({ ...emptyState(noLimit), homes: [liar.operator, good.operator] })
    play = await playPaid(await purseAt(discovery, { memory }), { track: subject })
    expect((await play?.block(denied, 0))?.source).toBe(good.origin)
    // Twice three times.
    expect(lies).toBeLessThanOrEqual(6)
    for (const cid of segments.slice(1)) {
      expect((await play?.block(cid, units.get(cid) ?? 0))?.source).toBe(liar.origin)
    }
  })

  test.each<[string, Partial<TillOptions>, bigint]>([
    ['claims a base that was never signed', reporting((report) => channel(report, { base: 10_000n })), 0n],
    [
      'reports the channel of another key',
      reporting((report) => channel(report, { key: report.channel.node })),
      0n,
    ],
    ['shows a voucher of somebody else', reporting((report) => channel(report, { last: forged })), 0n],
    ['asks for more than the artist', reporting((report) => ({ ...report, unitPrice: unitPrice + 1n })), 0n],
    ['says that it was not paid', reporting((report) => ({ ...report, credit: 0n, paidUnits: [] })), 2n],
    [
      'wants ever more for the same',
      reporting((report) => ({ ...report, credit: report.credit / 4n, paidUnits: [] })),
      3n,
    ],
  ])('that %s is left at once', async (_, options, units) => {
    const [bad, good] = [await tillOf(options), await tillOf()]
    const { sources, lost } = await hearPast(bad, good)
    expect(sources).toEqual(segments.map(() => good.origin))
    expect(lost).toBeLessThanOrEqual(units * unitPrice)
  })

  test('that sells wrong keys is left at once, and another one gives the right key', async () => {
    const [wrong, right] = [new Uint8Array(16).fill(6), new Uint8Array(16).fill(7)]
    const [bad, good] = [
      await tillOf({ intercept: giveKey(wrong) }),
      await tillOf({ intercept: giveKey(right) }),
    ]
    const discovery = await serveOperators([operatorOf(bad), operatorOf(good)])
    closing.push(discovery.close)
    const memory = mapPurseMemory({ ...emptyState(noLimit), homes: [bad.operator, good.operator] })
    const play = await playPaid(await purseAt(discovery, { memory }), { track: subject })
    const tryKey = async (key: Uint8Array) => {
      if (Buffer.compare(key, right) !== 0) throw new DecryptError('it does not open')
    }
    for (const segment of segments.keys()) {
      const key = await play?.key({ manifest: track.cid, rendition: 0, segment }, segment, tryKey)
      expect(key).toEqual(right)
    }
    expect(channelWith(memory.state, bad.operator).cumulative).toBeLessThanOrEqual(2n * unitPrice)
  })

  test('that plays off two plays of one purse against each other gets no more than a few units for nothing', async () => {
    let robbed: string | undefined
    const bad = await tillOf(
      reporting((report) => {
        robbed ??= report.session
        // The one hears that nothing is left, the other that there is plenty, which it would use.
        if (report.session === robbed) return { ...report, credit: 0n, paidUnits: [] }
        return { ...report, credit: report.credit + 50n * unitPrice }
      }),
    )
    const good = await tillOf()
    const discovery = await serveOperators([operatorOf(bad), operatorOf(good)])
    closing.push(discovery.close)
    const memory = mapPurseMemory({ ...emptyState(noLimit), homes: [bad.operator, good.operator] })
    const hear = async () => {
      const play = await playPaid(await purseAt(discovery, { memory }), { track: subject })
      for (const cid of segments) await play?.block(cid, units.get(cid) ?? 0)
    }
    await Promise.all([hear(), hear()])
    const { cumulative } = channelWith(memory.state, bad.operator)
    expect(cumulative).toBeLessThanOrEqual(unitPrice * BigInt(bad.sold.length + 4))
  })

  test('that asks for less is paid what it asks for', async () => {
    const cheap = await tillOf({ unitPrice: unitPrice - 30n })
    const { lost } = await hearPast(cheap, await tillOf())
    expect(lost).toBe(4n * (unitPrice - 30n))
  })

  test('that asks for a price which was raised meanwhile is believed after asking again', async () => {
    const raised = await tillOf({ unitPrice: unitPrice + 30n })
    const prices = [unitPrice, unitPrice + 30n]
    const termsOf = async () => ({ unitPrice: prices.shift() ?? 0n, nodeBps: 1_500, curatorBps: 0 })
    const { lost } = await hearPast(raised, await tillOf(), { termsOf })
    expect(lost).toBe(4n * (unitPrice + 30n))
  })

  test('that lies about its reserve is promised no more than an hour beyond what was spent', async () => {
    const forgetful = await tillOf(reporting((report) => channel(report, { reserved: 0n })))
    const { purse } = await hearPast(forgetful, await tillOf())
    const { reserved, cumulative } = purse.channel(forgetful.operator)
    expect(reserved).toBeLessThanOrEqual(cumulative + 600n * unitPrice)
  })

  test('is not paid where its floor is above what the artist gives nodes', async () => {
    const dear = await tillOf({ offer: { leastNodeBps: 1_501 } })
    const { lost } = await hearPast(dear, await tillOf())
    expect(lost).toBe(0n)
    expect(dear.requests.filter((line) => line.startsWith('POST'))).toEqual([])
  })

  test.each<[string, Partial<TillOptions>]>([
    ['is of another operator', { offer: { operator: `0x${'99'.repeat(20)}` } }],
    ['is for another endpoint', { offer: { endpoint: 'https://elsewhere.example' } }],
    ['is for another escrow', { offer: { escrow: `0x${'99'.repeat(20)}` } }],
    ['is for another chain', { offer: { chainId: 1 } }],
    ['has expired', { offer: { expiresAt: 1 } }],
    ['is signed over other words', { offer: { signature: `0x${'11'.repeat(64)}1b` } }],
  ])('whose offer %s is not paid', async (_, options) => {
    const [bad, good] = [await tillOf(options), await tillOf()]
    const { lost } = await hearPast(bad, good)
    expect(lost).toBe(0n)
    expect(bad.requests).toEqual(['GET /pay/offer'])
  })

  test('whose hot key is not the registered one is not paid', async () => {
    const [bad, good] = [await tillOf(), await tillOf()]
    const { lost } = await hearPast(bad, good, { hotKey: `0x${'77'.repeat(20)}` })
    expect(lost).toBe(0n)
  })

  test('is not the only one that can be bad: then the reasons are told', async () => {
    const [one, other] = [
      await tillOf({ onBlock: () => false, unitPrice: 999n }),
      await tillOf({ unitPrice: 999n }),
    ]
    await expect(hearPast(one, other)).rejects.toThrow('asks for 999, the artist for 134')
  })
})

const forged = {
  ...{ payer: listener.address, base: 0n, cumulative: 1n, lines: `0x${'11'.repeat(64)}` },
  signature: `0x${'11'.repeat(64)}1b`,
}

function answerUnpaid(_request: IncomingMessage, response: ServerResponse): boolean {
  answerProblem(response, 402, 'pay', {}, 'payment-required')
  return true
}

function reporting(report: (report: SessionReport) => SessionReport): Partial<TillOptions> {
  return { report }
}

function channel(report: SessionReport, changes: Partial<SessionReport['channel']>): SessionReport {
  return { ...report, channel: { ...report.channel, ...changes } }
}

/** Gives this key, whatever segment it is for. */
function giveKey(key: Uint8Array): NonNullable<TillOptions['intercept']> {
  return (request, response) => {
    if (!request.url?.startsWith('/premium/')) return false
    response.end(request.url.includes('/keys/') ? key : JSON.stringify({ gate: null }))
    return true
  }
}

function refuse(path: string, status: number): NonNullable<TillOptions['intercept']> {
  return (request, response) => {
    if (request.url !== path) return false
    answerProblem(response, status, 'no')
    return true
  }
}
