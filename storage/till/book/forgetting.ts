import type { PaymentsView } from '../payments-view.ts'
import type { Channel } from './channel.ts'

/** Whoever is forgotten and comes back begins at what the chain has settled. */
export type Forgetting = {
  /** Looks at some channels, all of them in turn, and forgets those of which nothing could be redeemed for a day. */
  look(): void
  /** Forgets one that has nothing but a rest of what was paid ahead, if it finds one: the book is full. */
  makeRoom(): void
}

type ChainTotals = ReturnType<PaymentsView['channel']>

/** No reorganisation reaches so far back, and no reserve comes so long after its deadline. */
const forgottenAfterMs = 24 * 3_600_000
/** Nobody waits for long, however many channels there are. */
const [looks, looksForRoom] = [16, 1_000]

/**
 * Keeps a book from filling up with those who do not come back.
 * @param options.forget called with each channel that goes
 */
export function createForgetting(options: {
  channels: ReadonlyMap<string, Channel>
  view: Pick<PaymentsView, 'channel'>
  now: () => number
  forget: (channel: Channel) => void
}): Forgetting {
  const { channels, view, now, forget } = options
  /** How the chain had those of which nothing could be redeemed, and since when. */
  const spent = new WeakMap<Channel, { readonly totals: string; readonly sinceMs: number }>()
  let turn = channels.values()

  function* inTurn(most: number): Generator<{ channel: Channel; chain: ChainTotals }> {
    for (let left = Math.min(most, channels.size); left > 0; left -= 1) {
      let { value: channel } = turn.next()
      if (channel === undefined) {
        turn = channels.values()
        channel = turn.next().value
      }
      if (channel === undefined) return
      if (isIdle(channel, now())) yield { channel, chain: view.channel(channel.payer, channel.key) }
    }
  }

  return {
    look() {
      for (const { channel, chain } of inTurn(looks)) {
        if (!isSpent(channel, chain)) {
          spent.delete(channel)
          continue
        }
        const totals = `${chain.reserved} ${chain.released} ${chain.settled}`
        const before = spent.get(channel)
        if (before?.totals !== totals) spent.set(channel, { totals, sinceMs: now() })
        else if (now() - before.sinceMs >= forgottenAfterMs) forget(channel)
      }
    },
    makeRoom() {
      for (const { channel, chain } of inTurn(looksForRoom)) {
        if (!isPaidOut(channel, chain)) continue
        forget(channel)
        return
      }
    },
  }
}

/** Whether nobody uses it and nothing is on its way. Where a frozen voucher waits its base is not the chain's. */
function isIdle({ sessions, frozen, awaited }: Channel, now: number): boolean {
  const mayCome = awaited !== undefined && now < awaited.untilMs + forgottenAfterMs
  return sessions.size === 0 && frozen.length === 0 && !mayCome
}

/** Whether all that was reserved is settled or released, so that the chain would take no voucher of it. */
function isSpent({ base }: Channel, { reserved, released, settled }: ChainTotals): boolean {
  return base <= settled && reserved - released <= settled
}

/** Whether all that was paid is settled, and nothing is owed to the node. */
function isPaidOut({ base, last, credits }: Channel, { settled }: ChainTotals): boolean {
  if (last !== undefined || base > settled) return false
  return [...credits.values()].every((credit) => credit > 0n)
}
