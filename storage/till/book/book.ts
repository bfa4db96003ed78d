import { type Address, type Hash, subjectToBytes32 } from '@hexachord/protocol/names'
import { mostLines, repeatsOfUnit, type SentVoucher, unitsBeforeMined } from '@hexachord/protocol/payments'
import type { PaymentsView } from '../payments-view.ts'
import {
  addCredit,
  applyFallBack,
  applyFreeze,
  applyPayment,
  applySettlement,
  type Channel,
  channelOf,
  channelRecord,
  isEmpty,
  isNews,
  newChannel,
  reserveOf,
} from './channel.ts'
import { createForgetting } from './forgetting.ts'
import { judgeVoucher } from './judge-voucher.ts'
import type { BookRecord, SessionFacts } from './records.ts'
import { createSessions, type Session, type SessionLimits, TooManySessions } from './session.ts'
import { commonDigits, lineDigits, sentVoucher } from './vouchers.ts'

/** A unit that cannot be served for what was paid; `missing` more has to be paid for the track, or, where it is zero, the
 * chain has to have the reserve first. */
export class NotCovered extends Error {
  override readonly name = 'NotCovered'
  readonly missing: bigint
  constructor(missing: bigint, message: string) {
    super(message)
    this.missing = missing
  }
}

export type BookOptions = {
  readonly view: Pick<PaymentsView, 'termsOf' | 'channel' | 'finalChannel'>
  /** Tracks that give a node less are not sold here. */
  readonly leastNodeBps: number
  /** ms since 1970. */
  readonly now: () => number
  readonly limits: SessionLimits
  /** Channels with vouchers, credit or sessions; each of them with vouchers has a reserve on the chain, or had one until
   * a day ago. */
  readonly mostChannels: number
  /** Takes what has happened; called after it was applied. */
  readonly write: (record: BookRecord) => void
}

export type Book = ReturnType<typeof createBook>

/** Lines from which on a till freezes by itself, so that its listeners have room for more tracks. */
export const crowdedLines = (mostLines * 3) / 4

/**
 * What listeners have paid and what was served for it. Every call decides on what is in memory, at once and as a whole;
 * what it says must not leave this node before the record that it wrote is durable.
 */
export function createBook(options: BookOptions) {
  const { view, now, write } = options
  const channels = new Map<string, Channel>()
  const sessions = createSessions(options.limits, ({ channel }) => forgetIfEmpty(channel))
  let nextSession = 1
  const forgetting = createForgetting({
    ...{ channels, view, now },
    forget({ payer, key }) {
      const record = { do: 'forget', payer, key } as const
      applyForgetting(record)
      write(record)
    },
  })

  const find = (payer: Address, key: Address) => channels.get(payer + key)

  function forgetIfEmpty(channel: Channel): void {
    if (isEmpty(channel)) channels.delete(channel.payer + channel.key)
  }

  /** How the chain has a channel: what may be redeemed, and up to where vouchers are taken. */
  function limitsOf({ payer, key, awaited }: Channel) {
    const { reserved, released, releasing, settled } = view.channel(payer, key)
    const isAwaited = awaited !== undefined && awaited.total > reserved && now() < awaited.untilMs
    const promised = isAwaited ? awaited.total : reserved
    const limit = promised - released - releasing
    return { redeemable: reserved - released, limit, released, settled, isAwaited }
  }

  function priceOf(track: Hash): bigint | undefined {
    const terms = view.termsOf(track)
    return terms === undefined || terms.nodeBps < options.leastNodeBps ? undefined : terms.unitPrice
  }

  /** Takes over what somebody else has redeemed, such as this operator before it lost its book. */
  function catchUp(channel: Channel, settled: bigint): void {
    if (settled <= channel.base) return
    const { payer, key } = channel
    const record = { do: 'settle', payer, key, amount: String(settled) } as const
    applySettlement(channel, record)
    write(record)
  }

  function applyOpening({ do: _, base, ...facts }: Extract<BookRecord, { do: 'open' }>): Session {
    const { payer, key, subject } = facts
    const channel = find(payer, key) ?? newChannel(payer, key, BigInt(base))
    channels.set(payer + key, channel)
    const isIdle = channel.last === undefined && channel.frozen.length === 0
    if (isIdle && BigInt(base) > channel.base) channel.base = BigInt(base)
    const session = { ...facts, channel, track: subjectToBytes32(subject), fetches: new Map() }
    sessions.add(session)
    nextSession = Math.max(nextSession, facts.session + 1)
    return session
  }

  function applyCharge(
    session: Session,
    { unit, price, awaited }: Extract<BookRecord, { do: 'charge' }>,
    part = 1,
  ) {
    addCredit(session.channel, session.track, -BigInt(price))
    session.fetches.set(unit, part)
    sessions.paid(session)
    if (awaited && session.channel.awaited !== undefined) session.channel.awaited.units += 1
  }

  function freeze(channel: Channel): void {
    const { payer, key, last, sure } = channel
    const { redeemable } = limitsOf(channel)
    const isRedeemable = (voucher: Channel['last']) =>
      voucher !== undefined && voucher.cumulative <= redeemable
    const which = isRedeemable(last) ? 'last' : isRedeemable(sure) ? 'sure' : undefined
    if (which === undefined) return
    const record = { do: 'freeze', payer, key, which } as const
    applyFreeze(channel, record)
    write(record)
  }

  /** One that is frozen already has not been worth its gas yet. To freeze more beside it would only pile up what has to be
   * redeemed at once; whoever redeems decides. */
  function freezeIfCrowded(channel: Channel): void {
    const isCrowded = (channel.last?.packed.length ?? 0) - 2 >= crowdedLines * lineDigits
    if (isCrowded && channel.frozen.length === 0) freeze(channel)
  }

  return {
    session: (token: string): Session | undefined => {
      const session = sessions.byToken(token)
      return session !== undefined && session.expiresAt > now() ? session : undefined
    },

    /**
     * Opens a session, or gives the one that the same key has opened with the same opening.
     * @throws TooManySessions
     */
    open(facts: Omit<SessionFacts, 'session'>): Session {
      sessions.sweep(now())
      forgetting.look()
      const known = sessions.byOpening(facts.opening, facts.key)
      if (known !== undefined) return known
      sessions.makeRoom(find(facts.payer, facts.key))
      const channel = find(facts.payer, facts.key)
      if (channel === undefined && channels.size >= options.mostChannels) forgetting.makeRoom()
      if (channel === undefined && channels.size >= options.mostChannels) {
        throw new TooManySessions('node', `this node has ${channels.size} listeners with money in its book`)
      }
      const { settled } = view.channel(facts.payer, facts.key)
      if (channel !== undefined) catchUp(channel, settled)
      const record = { do: 'open', base: String(settled), session: nextSession, ...facts } as const
      const session = applyOpening(record)
      write(record)
      return session
    },

    /** Whether a voucher could change anything, so that its signer has to be found. */
    isNews: ({ channel: { base, last } }: Session, voucher: SentVoucher): boolean =>
      voucher.base === base && (last === undefined || voucher.cumulative > last.cumulative),

    /**
     * Takes a voucher. One that is no newer than the last changes nothing.
     * @param signer whose signature it carries, for this node; not looked at where it is no news
     * @throws VoucherRefused
     */
    accept({ channel }: Session, voucher: SentVoucher, signer: Address | undefined): void {
      const { limit, released, settled } = limitsOf(channel)
      catchUp(channel, settled)
      const lines = judgeVoucher(channel, voucher, { limit, priceOf, signer })
      if (lines === undefined) return
      const { payer, key } = channel
      const sureLimit = view.finalChannel(payer, key).reserved - released
      const isBeyond = voucher.cumulative > sureLimit
      const keepsLast = isBeyond && channel.last !== undefined && channel.last.cumulative <= sureLimit
      const kept = channel.last === undefined ? 0 : commonDigits(channel.last.packed, voucher.lines)
      const record: Extract<BookRecord, { do: 'pay' }> = {
        ...{ do: 'pay' as const, payer, key, kept, lines: voucher.lines.slice(kept) },
        ...{ cumulative: String(voucher.cumulative), signature: voucher.signature },
        beyond: isBeyond,
        // Without this the last is kept, too, unless another is kept already.
        ...(keepsLast && channel.sure !== undefined ? { keepsLast: true as const } : {}),
      }
      applyPayment(channel, record, lines)
      write(record)
      freezeIfCrowded(channel)
    },

    /** Whether `charge` would serve a unit. */
    isCovered({ channel, track, fetches }: Session, unit: number, price: bigint, part = 1): boolean {
      const fetched = fetches.get(unit)
      if (fetched !== undefined && fetched + part <= 1 + repeatsOfUnit) return true
      return (channel.credits.get(track) ?? 0n) >= price && servedOn(channel) !== 'nothing'
    },

    /**
     * Charges a unit, unless it was charged in this session and not fetched too often since.
     * @param price of a unit of the session's track as of now
     * @param part of the unit that is fetched: one that is cut into several segments is fetched when all of them are.
     *   Zero for what takes no bandwidth, such as a key, which may be had as often as one likes
     * @returns what it cost
     * @throws NotCovered
     */
    charge(session: Session, unit: number, price: bigint, part = 1): bigint {
      const { channel, track, fetches } = session
      const fetched = fetches.get(unit)
      if (fetched !== undefined && fetched + part <= 1 + repeatsOfUnit) {
        fetches.set(unit, fetched + part)
        return 0n
      }
      const credit = channel.credits.get(track) ?? 0n
      if (credit < price) {
        throw new NotCovered(price - credit, `a unit costs ${price}, and ${credit} are left for this track`)
      }
      const on = servedOn(channel)
      if (on === 'nothing') {
        throw new NotCovered(
          0n,
          'the chain has not got the reserve yet, and what is served before is used up',
        )
      }
      const awaited = on === 'promise'
      const record = { do: 'charge', session: session.session, unit, price: String(price), awaited } as const
      applyCharge(session, record, part)
      write(record)
      return price
    },

    /** Counts a reserve that was signed and is on its way to the chain, until `untilMs`. The caller has checked that the
     * payer can pay it. What was served on one that did not come still counts. */
    awaitReserve(payer: Address, key: Address, total: bigint, untilMs: number): void {
      const channel = find(payer, key)
      if (channel === undefined) return
      const { awaited } = channel
      const { isAwaited } = limitsOf(channel)
      if (isAwaited && awaited !== undefined && awaited.total > total) return
      const isMined = awaited !== undefined && awaited.total <= view.channel(payer, key).reserved
      const units = isMined ? 0 : (awaited?.units ?? 0)
      channel.awaited = { total, untilMs, units }
      write({ do: 'await', payer, key, total: String(total), untilMs, units })
    },

    /**
     * Ends the vouchers of a channel at one that can be redeemed once those are that were frozen before: the next ones
     * begin there.
     * @returns the newest frozen voucher that is not settled; undefined if there is none
     */
    freeze(payer: Address, key: Address): SentVoucher | undefined {
      const channel = find(payer, key)
      if (channel === undefined) return undefined
      freeze(channel)
      const frozen = channel.frozen.at(-1)
      return frozen && sentVoucher(payer, frozen)
    },

    /**
     * Takes the voucher that is sure in place of a frozen one, where the chain has lost the reserve that this needs. The
     * vouchers that followed are lost, and the next ones begin there. Not while a frozen one is on its way to the chain.
     */
    fallBack(payer: Address, key: Address): void {
      const channel = find(payer, key)
      if (channel === undefined) return
      const { redeemable } = limitsOf(channel)
      const place = channel.frozen.findIndex(({ cumulative }) => cumulative > redeemable)
      const instead = channel.frozen[place]?.instead
      if (instead === undefined || instead.cumulative > redeemable) return
      const record = { do: 'fallBack', payer, key, place } as const
      applyFallBack(channel, record)
      write(record)
    },

    /** Tells up to where a channel is settled on the chain, once no reorganisation will undo it. */
    settled(payer: Address, key: Address, amount: bigint): void {
      const channel = find(payer, key)
      if (channel === undefined || !isNews(channel, amount)) return
      const record = { do: 'settle', payer, key, amount: String(amount) } as const
      applySettlement(channel, record)
      write(record)
      freezeIfCrowded(channel)
      forgetIfEmpty(channel)
    },

    channel: (payer: Address, key: Address): Channel | undefined => find(payer, key),
    channels: (): Iterable<Channel> => channels.values(),
    *frozen(): Generator<{ payer: Address; key: Address; voucher: SentVoucher }> {
      for (const { payer, key, frozen } of channels.values()) {
        for (const voucher of frozen) yield { payer, key, voucher: sentVoucher(payer, voucher) }
      }
    },
    awaitedOf(channel: Channel): bigint {
      const { isAwaited } = limitsOf(channel)
      return isAwaited && channel.awaited !== undefined ? channel.awaited.total : 0n
    },
    counts: () => ({ channels: channels.size, sessions: sessions.size }),

    /** Does again what was written, in the same order, to an empty book. */
    apply(record: BookRecord): void {
      switch (record.do) {
        case 'open':
          applyOpening(record)
          return
        case 'charge': {
          const session = sessions.get(record.session)
          if (session !== undefined) applyCharge(session, record)
          return
        }
        case 'charged': {
          const session = sessions.get(record.session)
          for (const unit of record.units) session?.fetches.set(unit, 1)
          if (session !== undefined && record.units.length > 0) sessions.paid(session)
          return
        }
        case 'forget':
          applyForgetting(record)
          return
        case 'channel':
          channels.set(record.payer + record.key, channelOf(record))
          return
        default:
          applyToChannel(record)
      }
    },

    /** Records that make this book again. */
    *snapshot(): Generator<BookRecord> {
      for (const channel of channels.values()) yield channelRecord(channel)
      for (const { channel, track: _, fetches, ...facts } of sessions.all()) {
        yield { do: 'open', base: String(channel.base), ...facts }
        if (fetches.size > 0) yield { do: 'charged', session: facts.session, units: [...fetches.keys()] }
      }
    },
  }

  /** What a unit is served on now: vouchers that the contract would redeem, or a reserve that it has not got yet. */
  function servedOn(channel: Channel): 'reserve' | 'promise' | 'nothing' {
    const { redeemable, isAwaited } = limitsOf(channel)
    if (channel.last === undefined || channel.last.cumulative <= redeemable) return 'reserve'
    return isAwaited && (channel.awaited?.units ?? 0) < unitsBeforeMined ? 'promise' : 'nothing'
  }

  function applyForgetting({ payer, key }: Extract<BookRecord, { do: 'forget' }>): void {
    // A book that is read has not ended sessions by the clock.
    for (const session of find(payer, key)?.sessions ?? []) sessions.remove(session)
    channels.delete(payer + key)
  }

  function applyToChannel(
    record: Extract<BookRecord, { do: 'pay' | 'await' | 'freeze' | 'fallBack' | 'settle' }>,
  ): void {
    const channel = find(record.payer, record.key)
    if (channel === undefined) return
    if (record.do === 'pay') applyPayment(channel, record)
    else if (record.do === 'await') channel.awaited = reserveOf(record)
    else if (record.do === 'freeze') applyFreeze(channel, record)
    else if (record.do === 'fallBack') applyFallBack(channel, record)
    else applySettlement(channel, record)
  }
}
