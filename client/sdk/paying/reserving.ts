import type { Address } from '@hexachord/protocol/names'
import { type SessionReport, unitsBeforeMined } from '@hexachord/protocol/payments'
import { ApiError } from '../connect/index.ts'
import { PaymentNeeded } from './payment-needed.ts'
import type { Purse } from './purse.ts'
import type { Till } from './till.ts'

/** An hour of music: what a node's reserve is filled up to. */
const unitsReserved = 600n
/** The reserve is filled up when less than a quarter of that is left. */
const refilledBelow = 4n
/** What the reserve is raised by where the deposit does not hold an hour: tills take no less. */
const fewUnits = BigInt(unitsBeforeMined)
/** So many hours are reserved at nodes that are no homes, such as holders of the keys of this track or that, by as many as
 * there can be homes: then these get few units each, until what others hold is released. */
const hoursBeside = 4n
/** For how long a till may bring a signed reserve to the chain. */
const deadlineSeconds = 3_600

/**
 * Sees to it that a node's reserve covers a payment: reserves an hour's worth on first use, and fills it up when three
 * quarters are used; at nodes that are no homes four hours altogether. No more than that is ever signed beyond what was spent, whatever the node says of its reserve: the
 * total counts from the beginning of the channel, and what was signed and released is known here, or asked of the chain.
 * @param options.amount about to be signed, in base units
 * @throws PaymentNeeded when the deposit does not cover it, or the node says that it does not and nobody is there who could
 * say otherwise; ApiError when the till or the chain does not answer
 */
export async function reserveFor(
  purse: Purse,
  options: { till: Till; report: SessionReport; operator: Address; amount: bigint; signal: AbortSignal },
): Promise<void> {
  const { till, report, operator, amount, signal } = options
  const { reserved, awaited, released } = report.channel
  const { cumulative } = purse.channel(operator)
  const price = report.unitPrice
  const hour = worthOfReserve(purse, operator, price)
  const left = limitOf(report) - cumulative
  if (left >= amount && left - amount >= hour / refilledBelow) return

  // Another device, or a purse that is lost, may have released what this one does not know of.
  if (released > purse.channel(operator).released) await purse.readReleased(operator)
  const known = purse.channel(operator).released
  const held = left > 0n ? left : 0n

  const fill = async (worth: bigint) => {
    const total = cumulative + known + (worth > amount ? worth : amount)
    // Less than was signed before would change nothing, and less than what the node has lost would not do.
    if (total <= reserved + awaited || total - released < cumulative + amount) {
      if (left >= amount) return
      const reason = `of its reserve ${released} base units were released, of which this purse knows ${known}`
      throw new PaymentNeeded('balance', { price, reserved: held, reason })
    }
    const deadline = Math.floor(purse.connection.now() / 1000) + deadlineSeconds
    const { payer } = purse.spender
    const signature = await purse.signReserve(operator, total, BigInt(deadline))
    await till.reserve({ session: report.session, payer, total, deadline, signature }, signal)
  }
  const free = await purse.reader?.balanceOf(purse.spender.payer)
  const affordable = free === undefined ? hour : least(hour, reserved - released - cumulative + free)
  try {
    await fill(affordable)
  } catch (error) {
    if (!isRefused(error)) throw error
    if (left >= amount) return
    const few = held + fewUnits * price
    const lack = (reason: ApiError) =>
      new PaymentNeeded(
        'balance',
        { price, left: free, reserved: held, reason: reason.message },
        { cause: reason },
      )
    if (affordable <= few) throw lack(error)
    await fill(few).catch((again: unknown) => {
      throw isRefused(again) ? lack(again) : again
    })
  }
}

/** What a node is to have for an hour, or one that is no home for as long as the others leave it. */
function worthOfReserve(purse: Purse, operator: Address, price: bigint): bigint {
  const hour = unitsReserved * price
  const beside = purse.reservedBeside(operator)
  if (beside === undefined) return hour
  const room = hoursBeside * hour - beside
  const few = fewUnits * price
  return room > few ? least(hour, room) : few
}

/** What a node can be promised in all, as its till says. */
export function limitOf({ channel: { reserved, awaited, released } }: SessionReport): bigint {
  return reserved + awaited - released
}

/** The till has an answer, and it is no: whoever has deposited too little hears that. */
function isRefused(error: unknown): error is ApiError {
  return error instanceof ApiError && [402, 409, 422].includes(error.status)
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}
