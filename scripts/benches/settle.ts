import type { Address, Hash } from '@hexachord/protocol/names'
import type { Line } from '@hexachord/protocol/payments'
import { createRandom, type Random } from '../sample-music/random.ts'
import { median, rounded } from './alternate.ts'
import type { Bench } from './bench.ts'
import { type Listened, type PaidChain, startPaidChain } from './settle/paid-chain.ts'

/** Of a dollar token with 6 decimals: 30 units, which are three minutes, cost 0.4 cents. */
const unitPrice = 134n
const unitsAnHour = 600n
/** Three and a half minutes. */
const unitsATrack = 35n
const dollarsAGas = (0.01 * 3_000) / 1e9
const limit = 0.05

/**
 * A hundred listeners at one node hear an hour each: tracks of a catalogue of 200 of which some are played far more than
 * others, every second by a curator's playlist. Gas at 0.01 gwei, and 3,000 dollars an ether. The tracks have earned
 * before, as nearly all have; what the very first hour costs is shown beside it.
 */
export const settle: Bench = {
  name: 'settle',
  summary: 'cost of redeeming an hour of 100 listeners at 0.01 gwei, over what they pay for it',
  limit: { atMost: limit },
  async run({ rounds, small, folder, signal, report }) {
    const listeners = small ? 3 : 100
    const random = createRandom(20_261_129)
    const chain = await startPaidChain({ folder, trackCount: small ? 10 : 200, signal })
    try {
      const fixed = await admit(chain, listeners, BigInt(rounds + 5) * unitsAnHour * unitPrice)
      const value = listeners * dollarsOf(unitsAnHour * unitPrice)
      const hours: { gas: number; lines: number }[] = []
      const heard = new Set<Hash>()
      for (let round = 0; round <= rounds; round++) {
        signal.throwIfAborted()
        const listened = Array.from({ length: listeners }, (_, listener) => hourOf(random, chain, listener))
        const lines = listened.reduce((sum, one) => sum + one.lines.length, 0)
        for (const one of listened) for (const { track } of one.lines) heard.add(track)
        hours.push({ gas: Number(await chain.redeem(listened)), lines })
        report(`${round}: ${hours.at(-1)?.gas} gas for ${lines} lines`)
      }
      const [first = { gas: 0, lines: 1 }, ...later] = hours
      const gas = median(later.map((hour) => hour.gas))
      const ratio = (gas * dollarsAGas) / value
      const onceGas =
        (fixed.deposit + fixed.reserve + (await distributeAll(chain, heard)) / listeners) * dollarsAGas
      const hoursToPayOff = onceGas / ((limit - ratio) * dollarsOf(unitsAnHour * unitPrice))
      return {
        ratio: rounded(ratio),
        firstRatio: rounded((first.gas * dollarsAGas) / value),
        listeners,
        linesAnHour: Math.round(median(later.map(({ lines }) => lines)) / listeners),
        gasAnHourOfAListener: Math.round(gas / listeners),
        depositGas: fixed.deposit,
        reserveGas: fixed.reserve,
        distributeGas: Number(await earnAndDistribute(chain)),
        hoursUntilAllIsBelowLimit: Math.ceil(hoursToPayOff * 10) / 10,
        ...(await gasALine(chain, small)),
      }
    } finally {
      await chain.close()
    }
  },
}

/** Each deposits and reserves once; the gas of the last, when nobody is the first any more. */
async function admit(chain: PaidChain, listeners: number, amount: bigint) {
  let gas = { deposit: 0, reserve: 0 }
  for (let listener = 0; listener < listeners; listener++) {
    const deposit = Number(await chain.deposit(listener, amount))
    gas = { deposit, reserve: Number(await chain.reserve(listener, amount)) }
  }
  return gas
}

/** The gas of splitting what every track that was heard has earned, once. */
async function distributeAll(chain: PaidChain, heard: ReadonlySet<Hash>): Promise<number> {
  let gas = 0n
  for (const track of heard) gas += await chain.distribute(track)
  return Number(gas)
}

async function earnAndDistribute(chain: PaidChain): Promise<bigint> {
  const [track = '0x'] = chain.tracks
  await chain.redeem([{ listener: 0, lines: [lineOf(track, 0, unitsATrack)] }])
  return chain.distribute(track)
}

/** Ten lines each, of the same ten tracks. */
async function gasALine(chain: PaidChain, small: boolean): Promise<Record<string, number>> {
  const figures: Record<string, number> = {}
  for (const listeners of small ? [1] : [1, 10, 100]) {
    const lines = chain.tracks.slice(0, 10).map((track, index) => lineOf(track, index, 1n))
    const gas = await chain.redeem(Array.from({ length: listeners }, (_, listener) => ({ listener, lines })))
    figures[`gasALineWith${listeners}Listeners`] = Math.round(Number(gas) / listeners / lines.length)
  }
  return figures
}

/** An hour of tracks, the popular ones more often: repeats of a track are one line. */
function hourOf(random: Random, { tracks }: PaidChain, listener: number): Listened {
  const units = new Map<number, bigint>()
  for (let left = unitsAnHour; left > 0n; left -= unitsATrack) {
    const index = Math.floor(random() ** 2 * tracks.length)
    units.set(index, (units.get(index) ?? 0n) + (left < unitsATrack ? left : unitsATrack))
  }
  return { listener, lines: [...units].map(([index, heard]) => lineOf(tracks[index] ?? '0x', index, heard)) }
}

function lineOf(track: Hash, index: number, units: bigint): Line {
  const digit = (index % 10).toString()
  const curator: Address = index % 2 === 0 ? `0x${'00'.repeat(20)}` : `0x${'c0'.repeat(19)}0${digit}`
  return { track, curator, amount: units * unitPrice }
}

function dollarsOf(baseUnits: bigint): number {
  return Number(baseUnits) / 1e6
}
