import type { Address } from '@hexachord/protocol/names'
import { unitsOfBlocks } from '@hexachord/protocol/payments'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, expect, test } from '@jest/globals'
import {
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
} from '../fixtures/index.ts'
import { emptyState, type PurseOptions, type PurseState, playPaid } from './index.ts'
import { channelWith, isFunded, withChannel, withReleased, withReleasing } from './purse-state.ts'

const { track, blocks } = await exampleTrack()
const units = unitsOfBlocks(track)
const [segment = ''] = segmentsOf(track, 2)
const hour = 600n * unitPrice
const key = new Uint8Array(16).fill(7)

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

/** Nodes that sell segments, and keys. */
async function nodes(count: number, options: Partial<TillOptions> = {}): Promise<TillFixture[]> {
  const tills = await Promise.all(
    Array.from({ length: count }, () =>
      startTill({
        ...{ blocks, track, subject, unitPrice },
        intercept(request, response) {
          if (!request.url?.startsWith('/premium/')) return false
          response.end(request.url.includes('/keys/') ? key : JSON.stringify({ gate: null }))
          return true
        },
        ...options,
      }),
    ),
  )
  closing.push(...tills.map((till) => till.close))
  return tills
}

async function walletOf(
  tills: readonly TillFixture[],
  state: Partial<PurseState> = {},
  options: Partial<PurseOptions> = {},
) {
  const discovery = await serveOperators(tills.map((till) => operatorOf(till)))
  closing.push(discovery.close)
  const memory = mapPurseMemory({ ...emptyState(), ...state })
  const purse = await purseAt(discovery, { memory, ...options })
  const open = (holders?: readonly TillFixture[]) =>
    playPaid(purse, { track: subject, among: holders?.map(({ operator }) => operator) })
  return {
    memory,
    purse,
    /** Hears a segment of a track in the clear. @returns who gave it */
    async hear(): Promise<string | undefined> {
      return (await (await open())?.block(segment, units.get(segment) ?? 0))?.source
    },
    /** Gets a key of a track whose secret these have. */
    async unlock(holders: readonly TillFixture[]): Promise<void> {
      const place = { manifest: track.cid, rendition: 0, segment: 0 }
      expect(await (await open(holders))?.key(place, 0, async () => undefined)).toEqual(key)
    },
    reservedAt: ({ operator }: TillFixture) => channelWith(memory.state, operator).reserved,
  }
}

const addressesOf = (tills: readonly TillFixture[]) => tills.map(({ operator }) => operator)

test('whatever keys are bought, homes stay homes: premium and other tracks in turn take one reserve of each', async () => {
  const tills = await nodes(4)
  const [home, other, ...holders] = tills as [TillFixture, TillFixture, TillFixture, TillFixture]
  const wallet = await walletOf(tills, { homes: addressesOf([home, other]) })
  for (let turn = 0; turn < 3; turn += 1) {
    expect(await wallet.hear()).toBe(home.origin)
    await wallet.unlock(holders)
    expect(wallet.memory.state.homes).toEqual(addressesOf([home, other]))
  }
  const paid = tills.filter((till) => wallet.reservedAt(till) > 0n)
  expect(paid).toHaveLength(2)
  expect(paid[0]).toBe(home)
})

test('a home that has the keys sells them, and after it a node that holds money already', async () => {
  const tills = await nodes(6)
  const [home, other, ...holders] = tills as [TillFixture, TillFixture, ...TillFixture[]]
  const [funded, ...fresh] = holders as [TillFixture, ...TillFixture[]]
  const state = withChannel(emptyState(), funded.operator, {
    ...channelWith(emptyState(), funded.operator),
    reserved: hour,
  })
  const wallet = await walletOf(tills, { ...state, homes: addressesOf([home, other]) })
  await wallet.unlock([...fresh, other, funded])
  expect([wallet.reservedAt(other), wallet.purse.channel(funded.operator).cumulative]).toEqual([hour, 0n])
  await wallet.unlock([...fresh, funded])
  expect(wallet.purse.channel(funded.operator).cumulative).toBeGreaterThan(0n)
  expect(fresh.map(wallet.reservedAt)).toEqual([0n, 0n, 0n])
})

test('a node from which money is asked back is not chosen for that it holds some', () => {
  const operator = `0x${'ab'.repeat(20)}` as const
  const channel = { ...channelWith(emptyState(), operator), reserved: hour }
  const state = { ...withChannel(emptyState(), operator, channel), homes: [operator] }
  const asked = withReleasing(state, operator)
  expect([isFunded(state, operator), isFunded(asked, operator), asked.homes]).toEqual([true, false, []])
  expect(isFunded(withReleased(asked, operator, hour / 2n), operator)).toBe(true)
})

test('who sells keys to a wallet without homes is one: other tracks are heard from where money is', async () => {
  const tills = await nodes(3)
  const [holder] = tills as [TillFixture]
  const wallet = await walletOf(tills)
  await wallet.unlock([holder])
  expect(wallet.memory.state.homes).toEqual([holder.operator])
  expect(await wallet.hear()).toBe(holder.origin)
})

test('what key holders hold that are no homes is four hours altogether, and then a few units each', async () => {
  const tills = await nodes(8)
  const homes = tills.slice(0, 2)
  const holders = tills.slice(2)
  const wallet = await walletOf(tills, { homes: addressesOf(homes) })
  for (const holder of holders) await wallet.unlock([holder])
  const reserved = holders.map(wallet.reservedAt)
  expect(reserved.slice(0, 4)).toEqual([hour, hour, hour, hour])
  expect(reserved.slice(4).every((amount) => amount > 0n && amount <= 12n * unitPrice)).toBe(true)
  await wallet.hear()
  expect(homes.map(wallet.reservedAt)).toContain(hour)
})

test('a home whose floor is above what an artist gives nodes stays one, and others serve that track', async () => {
  const dear = await nodes(2, { offer: { leastNodeBps: 1_501 } })
  const [cheap] = (await nodes(1)) as [TillFixture]
  const homes: Address[] = addressesOf(dear)
  const wallet = await walletOf([...dear, cheap], { homes })
  expect(await wallet.hear()).toBe(cheap.origin)
  expect(wallet.memory.state.homes).toEqual(homes)
})
