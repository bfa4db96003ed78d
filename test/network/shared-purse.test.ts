import { parsed } from '@hexachord/protocol/checked'
import type { OperatorAnswer } from '@hexachord/protocol/rest'
import { mapPurseMemory } from '@hexachord/sdk/fixtures'
import { createKey, type HeldKey } from '@hexachord/sdk/keys'
import {
  emptyState,
  openPurse,
  ownSpender,
  type PaidPlay,
  type Purse,
  type PurseMemory,
  playPaid,
} from '@hexachord/sdk/paying'
import {
  startTill,
  type TillServer,
  testEndpoint,
  testNetwork,
  testNode,
  testPrice,
  testSubject,
} from '@hexachord/storage/till/fixtures'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

const units = 8
const nodeKey = createKey()

let server: TillServer
beforeAll(async () => {
  server = await startTill({ hotKey: nodeKey.signer, reserved: 10n ** 12n })
})
afterAll(() => server?.close())

type Listener = { readonly key: HeldKey; readonly memory: PurseMemory }

function newListener(perHour: bigint | null = null): Listener {
  return { key: createKey(), memory: mapPurseMemory(emptyState({ perHour, perMonth: null })) }
}

/** As each tab or program has one: all that it shares with others is what the memory keeps. */
function openView({ key, memory }: Listener): Promise<Purse> {
  const operator: OperatorAnswer = {
    ...{ operator: testNode, controller: testNode, endpoint: testEndpoint, hotKey: nodeKey.address },
    ...{ capacityBytes: '1000', stakeWei: '1000', active: true },
  }
  return openPurse({
    connection: {
      now: Date.now,
      http: (url, init) => fetch(String(url).replace(testEndpoint, server.origin), init),
      discover: async (_path, schema) => parsed(schema, { items: [operator], next: null }),
    },
    ...{ network: testNetwork, spender: ownSpender(key), memory, homes: 1 },
    termsOf: async () => ({ unitPrice: testPrice, nodeBps: 1_500, curatorBps: 0 }),
  })
}

async function beginPlay(purse: Purse): Promise<PaidPlay> {
  const play = await playPaid(purse, { track: testSubject })
  if (play === undefined) throw new Error('the track is free')
  return play
}

async function playTwice(listener: Listener): Promise<PaidPlay[]> {
  const purses = await Promise.all([openView(listener), openView(listener)])
  return Promise.all(purses.map(beginPlay))
}

/** Hears a track from `from` to before `to`. @param options.ahead units that are asked for at a time */
async function hear(
  play: PaidPlay,
  { from = 0, to = units, ahead = 1, onUnit }: HearOptions = {},
): Promise<void> {
  void play.prepare(from, units - 1)
  const asked: Promise<unknown>[] = []
  for (let unit = from; unit < to; unit += 1) {
    const block = play.block(server.segment(unit), unit)
    // It is awaited in its turn.
    block.catch(() => undefined)
    asked.push(block)
    if (asked.length === ahead) await asked.shift()
    onUnit?.(unit)
  }
  await Promise.all(asked)
}
type HearOptions = {
  readonly from?: number
  readonly to?: number
  readonly ahead?: number
  readonly onUnit?: (unit: number) => void
}

async function paidBy({ key: { address }, memory }: Listener) {
  const channel = server.till.book.channel(address, address)
  const state = await memory.load()
  return {
    signed: state.channels[testNode]?.cumulative,
    left: [...(channel?.credits.values() ?? [])].reduce((sum, credit) => sum + credit, 0n),
    receipts: (await memory.receipts()).reduce((sum, { amount }) => sum + amount, 0n),
  }
}

const priceOf = (count: number) => BigInt(count) * testPrice
const exactly = (count: number) => ({ signed: priceOf(count), left: 0n, receipts: priceOf(count) })

describe('a track that is played twice at once from one purse', () => {
  test.each([1, 2, 4])('plays in both, each of which pays for itself alone (%d at a time)', async (ahead) => {
    for (let round = 0; round < 8; round += 1) {
      const listener = newListener()
      const plays = await playTwice(listener)
      await Promise.all(plays.map((play) => hear(play, { ahead })))
      expect(await paidBy(listener)).toEqual(exactly(2 * units))
    }
  })

  test.each([1, 3])('plays on where others begin in its midst (%d at a time)', async (ahead) => {
    const listener = newListener()
    const later: Promise<void>[] = []
    const begin = async () => hear(await beginPlay(await openView(listener)), { ahead })
    await hear(await beginPlay(await openView(listener)), { ahead, onUnit: () => void later.push(begin()) })
    await Promise.all(later)
    expect(await paidBy(listener)).toEqual(exactly((1 + units) * units))
  })

  test('plays on where others take what it had paid ahead, and leave', async () => {
    const listener = newListener()
    const play = await beginPlay(await openView(listener))
    for (let unit = 0; unit < units; unit += 1) {
      await hear(play, { from: unit, to: unit + 1 })
      await hear(await beginPlay(await openView(listener)), { from: unit, to: unit + 1 })
    }
    const { signed, left } = await paidBy(listener)
    expect((signed ?? 0n) - left).toBe(priceOf(2 * units))
    expect(left).toBeLessThanOrEqual(priceOf(2))
  })

  test.each([
    ['two tabs', playTwice],
    [
      'one',
      async (listener: Listener) => {
        const purse = await openView(listener)
        return Promise.all([beginPlay(purse), beginPlay(purse)])
      },
    ],
  ])('plays in both of %s while the till freezes what it has', async (_, begin) => {
    const listener = newListener()
    const { address } = listener.key
    const plays = await begin(listener)
    const onUnit = () => void server.till.freeze(address, address)
    await Promise.all(plays.map((play) => hear(play, { onUnit })))
    const { signed, left } = await paidBy(listener)
    expect((signed ?? 0n) - left).toBe(priceOf(2 * units))
  })

  test('passes its budget in neither', async () => {
    const listener = newListener(priceOf(11))
    const plays = await playTwice(listener)
    const ends = await Promise.allSettled(plays.map((play) => hear(play)))
    for (const end of ends) expect(end).toMatchObject({ reason: { name: 'PaymentNeeded', lack: 'budget' } })
    expect(await paidBy(listener)).toEqual(exactly(11))
  })
})
