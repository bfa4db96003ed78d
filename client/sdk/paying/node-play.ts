import { type Address, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { type SentVoucher, type SessionReport, sessionMs } from '@hexachord/protocol/payments'
import { createRetriever, type Fault, type Retrieved } from '@hexachord/protocol/retrieval'
import { ApiError, pause } from '../connect/index.ts'
import { type AccountPass, type KeyPlace, keyHolderAt, type TryKey } from './ask-key.ts'
import { NodeRefused } from './channel-report.ts'
import { isUnpaid, PaymentNeeded } from './payment-needed.ts'
import { createPlayFunds } from './play-funds.ts'
import type { Part, Purse, TrackTerms } from './purse.ts'
import { borrowedIn, channelWith, paidFor } from './purse-state.ts'
import { limitOf, reserveFor } from './reserving.ts'
import { signOpening } from './sign-opening.ts'
import { type HomeNode, tillAt } from './till.ts'
import { untilAborted } from './until-aborted.ts'
import { linesOf, partsOf, unitsToPay } from './voucher-parts.ts'

/** A session that is about to end is opened anew before it is used. */
const renewedBeforeMs = 30_000
/** Units that may be paid beyond those that were asked for: the one ahead, and one that a till has lost. A till that
 * wants still more keeps what it was given. */
const sparePayments = 2
/** How often a unit is asked for again that was paid and not given, unless another play has used what was paid. */
const mostRefusals = 2
/** Nobody waits for what is paid ahead, and whoever has just begun to play has other things to do: it is paid then, or
 * as soon as somebody waits. */
const aheadAfterMs = 150

/** A track at one node. */
export type NodePlay = {
  readonly node: HomeNode
  /** What the node has taken in this play, in base units. */
  readonly taken: bigint
  /** A block of a unit, paid for if it has to be, checked against its hash.
   * @throws NodeRefused, ApiError, RetrievalFailed, PaymentNeeded, and the signal's reason */
  block(cid: string, unit: number, signal: AbortSignal, onFault?: (fault: Fault) => void): Promise<Retrieved>
  /** The key of a segment, paid for if it has to be. @throws NodeRefused, ApiError, PaymentNeeded, and the signal's reason */
  key(place: KeyPlace, unit: number, tryKey: TryKey, signal: AbortSignal): Promise<Uint8Array>
  /** Pays for a unit before anybody asks. Who asks hears what fails. @param lastUnit of the track
   * @returns when that is on its way, there is nothing to send, or the play has ended; never rejects */
  prepare(unit: number, lastUnit: number): Promise<void>
}

/** Plays a track at a node. Units are paid as they are asked for, and one ahead, so that from the second on no segment
 * waits for its payment. @param options.signal ends what is under way; what was signed stays signed */
export function createNodePlay(
  purse: Purse,
  node: HomeNode,
  options: {
    track: Subject
    curator: Address
    terms: TrackTerms
    signal: AbortSignal
    pass?: AccountPass | undefined
  },
): NodePlay {
  const { track, curator, terms, signal: life } = options
  const { connection } = purse
  const { operator, origin, offer } = node
  const trackId = subjectToBytes32(track)
  const sale = { node: operator, track, curator }
  const till = tillAt(connection.http, origin)
  const retriever = createRetriever({
    fetch: connection.http,
    now: () => performance.now(),
    sources: () => [{ id: origin, url: urlOf }],
  })
  const keyHolder = keyHolderAt(connection.http, { origin, track, pass: options.pass })
  let artistsPrice = terms.unitPrice
  let session: SessionReport | undefined
  let openedAtMs = 0
  /** Of the track, as far as is known before there is a session. */
  let foreseenUnits = 0
  /** Units that were asked for in this session, and when their payment is there. */
  const asked = new Map<number, Promise<void>>()
  const waiting = new Map<number, PromiseWithResolvers<void>>()
  const funds = createPlayFunds()
  let round: Promise<void> | undefined
  let pressed = Promise.withResolvers<void>()
  /** The round has begun to send, or has ended. */
  let sending = Promise.withResolvers<void>()
  /** Units that were paid for and not given, and what was known to be lost when they were asked for: how the session stands is
   * asked for before more is paid. */
  const doubted = new Map<number, bigint>()
  /** How often what was paid for a unit had been used by others when it was asked for. */
  const excuses = new Map<number, number>()

  function urlOf(cid: string): string {
    const url = `${origin}/ipfs/${cid}?format=raw`
    return session === undefined ? url : `${url}&s=${encodeURIComponent(session.session)}`
  }

  /** @param told which is asked for anew where another play has adopted a later one meanwhile */
  async function take(told: SessionReport): Promise<void> {
    const isLate = told.channel.base < purse.channel(operator).base
    const report = isLate ? await till.session(told.session, life) : told
    if (report.subject !== track || report.curator !== curator) {
      throw new NodeRefused(`${origin} reports the session of another track`)
    }
    await assertPrice(report.unitPrice)
    await purse.adopt(report.channel, operator)
    const { base, lines } = purse.channel(operator)
    const { last } = report.channel
    const seen = last?.base === base ? paidFor(linesOf(last), trackId) : 0n
    const missing = paidFor(lines, trackId) - seen
    const unsent = missing > 0n ? missing : 0n
    const free = report.credit + unsent - report.unitPrice * BigInt(unpaid(report).length)
    funds.found({ free, unsent }, report.session !== session?.session)
    session = report
  }

  function unpaid({ paidUnits }: SessionReport): number[] {
    const paid = new Set(paidUnits)
    return [...asked.keys()].filter((unit) => !paid.has(unit))
  }

  /** A node may ask for less than the artist, and owes the difference itself; never for more. */
  async function assertPrice(unitPrice: bigint): Promise<void> {
    if (unitPrice <= artistsPrice) return
    const fresh = await purse.termsOf(track, { fresh: true, signal: life })
    artistsPrice = fresh?.unitPrice ?? 0n
    if (unitPrice > artistsPrice) {
      throw new NodeRefused(`${origin} asks for ${unitPrice}, the artist for ${artistsPrice}`)
    }
  }

  // By our own clock alone: the till's may show another time.
  const isOpen = () => session !== undefined && connection.now() < openedAtMs + sessionMs - renewedBeforeMs

  function forgetSession(): void {
    session = undefined
    doubted.clear()
    for (const unit of asked.keys()) if (!waiting.has(unit)) asked.delete(unit)
  }

  async function openSession(): Promise<SessionReport> {
    if (session !== undefined && isOpen()) {
      return doubted.size === 0 ? session : resolveDoubts(session)
    }
    forgetSession()
    const [voucher, opening] = await Promise.all([payAlong(), signOpening(purse, sale, connection.now())])
    const alongside = voucher ? { voucher } : {}
    const asking = till.open({ ...opening, ...alongside }, life)
    sending.resolve()
    const opened = await asking.catch(async (error: unknown) => {
      // One of the two clocks is wrong, and the till says what its own shows.
      const told = error instanceof ApiError ? error.members.now : undefined
      if (typeof told !== 'number') throw error
      return till.open({ ...(await signOpening(purse, sale, told)), ...alongside }, life)
    })
    openedAtMs = connection.now()
    await take(opened)
    return opened
  }

  /** Asks how the session stands. What was paid for a unit that was not given is gone, where others may have used it: also
   * where there is money again, which is theirs. */
  async function resolveDoubts({ session: token }: SessionReport): Promise<SessionReport> {
    const report = await till.session(token, life)
    const denied = unpaid(report).flatMap((unit) => {
      const known = doubted.get(unit)
      return known === undefined ? [] : [{ unit, known }]
    })
    const lost = denied.filter(({ known }) => known === funds.lost).length
    doubted.clear()
    if (lost > 0 && (await isShared())) funds.lose(report.unitPrice * BigInt(lost))
    await take(report)
    for (const { unit, known } of denied) {
      if (known < funds.lost) excuses.set(unit, excusesOf(unit) + 1)
    }
    return report
  }

  /** What is asked for first is paid with the opening, where the reserve holds it and the track's length is known: that
   * spares a question. Where the till's record is another than ours it refuses, and its report says from where to go on. */
  async function payAlong(): Promise<SentVoucher | undefined> {
    const { reserved, released, cumulative } = purse.channel(operator)
    const { due, ahead } = unitsToPay(foreseenUnits, { waiting, asked, offer })
    const parts = [...due, ...ahead].map((unit) => ({ unit, amount: artistsPrice }))
    const amount = artistsPrice * BigInt(parts.length)
    const isHeld = reserved - released - cumulative >= amount
    if (foreseenUnits === 0 || funds.signed > 0n || due.length === 0 || !isHeld) return undefined
    try {
      return await sign(parts, amount)
    } catch (error) {
      // What the budget or the lines of a voucher hold is found out with the session.
      if (error instanceof PaymentNeeded || error instanceof RangeError) return undefined
      throw error
    }
  }

  /** Pays for all that is waiting, and one unit ahead, by one voucher; where the budget has less, for what comes first. */
  async function payForWaiting(): Promise<void> {
    const report = await openSession()
    const price = report.unitPrice
    const { due, ahead } = unitsToPay(report.units, { waiting, asked, offer })
    let covered = due
    try {
      await coverFunds(report, [...due, ...ahead], price * BigInt(ahead.length))
    } catch (error) {
      const isTooMuch = error instanceof PaymentNeeded && error.lack === 'budget'
      if (!isTooMuch || (due.length === 1 && ahead.length === 0)) throw error
      // Where nothing is due it was for the one ahead, which nobody has asked for yet.
      covered = due.slice(0, 1)
      if (covered.length > 0) await coverFunds(report, covered, price * BigInt(1 - due.length))
    }
    const others = [...waiting.keys()].filter((unit) => !covered.includes(unit)).length
    while (funds.free + price * BigInt(others) < 0n) {
      if (!(await isShared())) {
        throw new NodeRefused(`${origin} was paid and says that it was not`)
      }
      await coverFunds(report, covered, price * BigInt(-others))
    }
    for (const unit of covered) {
      waiting.get(unit)?.resolve()
      waiting.delete(unit)
    }
  }

  /** Signs what is missing to that much, and sends what was signed. */
  async function coverFunds(report: SessionReport, units: readonly number[], wanted: bigint): Promise<void> {
    const missing = funds.free < wanted ? wanted - funds.free : 0n
    const { lines } = purse.channel(operator)
    const isNew = !lines.some((line) => line.track === trackId && line.curator === curator)
    // A till takes no new line that does not buy a unit. Where two plays begin at once each counts on what was left over.
    const amount = missing > 0n && isNew && missing < report.unitPrice ? report.unitPrice : missing
    const borrowed = funds.borrowing(report.unitPrice, wanted - amount)
    if (amount > 0n || funds.unsent > 0n) await send(report, units, amount, borrowed)
    else if (borrowed !== 0n) {
      await purse.borrow(operator, borrowed)
      funds.borrow(borrowed)
    }
  }

  /** Another play may have used what this one paid, or what this one found was another's. */
  async function isShared(): Promise<boolean> {
    return funds.borrowed > 0n || (await lent()) > 0n
  }

  /** What other plays have borrowed: as much of what this one paid may be gone. */
  async function lent(): Promise<bigint> {
    const borrowed = borrowedIn(channelWith(await purse.state(), operator), connection.now())
    return borrowed > funds.borrowed ? borrowed - funds.borrowed : 0n
  }

  async function sign(parts: readonly Part[], amount: bigint, borrowed = 0n): Promise<SentVoucher> {
    const voucher = await purse.sign({ track, node: operator, curator, parts, borrowed })
    funds.borrow(borrowed)
    funds.sign(amount)
    return voucher
  }

  async function send(
    report: SessionReport,
    units: readonly number[],
    amount: bigint,
    borrowed: bigint,
  ): Promise<void> {
    const most = report.unitPrice * BigInt(funds.asked + sparePayments)
    if (funds.signed + amount > most && funds.signed + amount > most + (await lent())) {
      throw new NodeRefused(`${origin} wants to be paid again for what it was paid`)
    }
    await reserveFor(purse, { till, report, operator, amount, signal: life })
    const voucher = await sign(partsOf(units, amount, report.unitPrice), amount, borrowed)
    try {
      return await take(await till.pay({ session: report.session, voucher }, life))
    } catch (error) {
      if (!(error instanceof ApiError && error.status >= 400 && error.status < 500)) throw error
      // The till may have frozen the one before meanwhile, and wait for one that goes on from there.
      const told = await till.session(report.session, life)
      await take(told)
      if (purse.channel(operator).base === voucher.base) {
        // Some of the reserve may have been released meanwhile: what was signed is worth nothing there until it is covered.
        if (purse.channel(operator).cumulative <= limitOf(told)) throw error
        await reserveFor(purse, { till, report: told, operator, amount: 0n, signal: life })
      }
    }
    if (funds.unsent === 0n) return
    const again = await sign([], 0n)
    await take(await till.pay({ session: report.session, voucher: again }, life))
  }

  /** A till that has forgotten the session, such as by a restart, is told again who we are. */
  async function payInAnySession(): Promise<void> {
    if (waiting.size === 0) await Promise.race([pressed.promise, pause(aheadAfterMs, life)])
    try {
      await payForWaiting()
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error
      forgetSession()
      await payForWaiting()
    }
  }

  function startRound(): void {
    if (round !== undefined) return
    const due = [...waiting.keys()]
    pressed = Promise.withResolvers()
    sending = Promise.withResolvers()
    round = payInAnySession()
      .catch((error: unknown) => {
        for (const unit of due) {
          waiting.get(unit)?.reject(error)
          waiting.delete(unit)
          asked.delete(unit)
        }
        // Whoever asks next hears what the node knows of us.
        forgetSession()
      })
      .finally(() => {
        sending.resolve()
        round = undefined
        if (waiting.size > 0) startRound()
      })
  }

  function cover(unit: number): Promise<void> {
    const known = isOpen() ? asked.get(unit) : waiting.get(unit)?.promise
    if (known) return known
    const covered = Promise.withResolvers<void>()
    // It is awaited by whoever asks; what nobody waits for any more must not count as unhandled.
    covered.promise.catch(() => undefined)
    asked.set(unit, covered.promise)
    const open = isOpen() ? session : undefined
    funds.ask(open?.unitPrice)
    const hasAll = funds.free >= 0n && funds.unsent === 0n
    if (open && hasAll && funds.borrowing(open.unitPrice) <= 0n) covered.resolve()
    else {
      waiting.set(unit, covered)
      pressed.resolve()
    }
    startRound()
    return covered.promise
  }

  /** Makes a unit wait until the till was asked what it has of ours, and has what is missing. */
  function doubt(unit: number, lost: bigint): void {
    if (waiting.has(unit)) return
    const covered = Promise.withResolvers<void>()
    covered.promise.catch(() => undefined)
    asked.set(unit, covered.promise)
    waiting.set(unit, covered)
    doubted.set(unit, lost)
    pressed.resolve()
    startRound()
  }

  const excusesOf = (unit: number) => excuses.get(unit) ?? 0

  /** Gets what costs a unit. Where the till says that it is not paid another play of this purse may have used what this one
   * paid, or the till may have restarted, and know neither the session nor the unit. */
  async function getPaid<Got>(unit: number, signal: AbortSignal, get: () => Promise<Got>): Promise<Got> {
    for (let refusals = 0; ; ) {
      const covered = cover(unit)
      // What is paid is asked for at once: whoever asks has a browser to keep busy, and a promise that is settled would
      // have its turn behind all of that.
      if (waiting.has(unit)) await untilAborted(covered, signal)
      const { lost } = funds
      const excused = excusesOf(unit)
      try {
        return await get()
      } catch (error) {
        if (!isUnpaid(error)) throw error
        if (refusals === mostRefusals) {
          forgetSession()
          throw error
        }
        doubt(unit, lost)
        await untilAborted(cover(unit), signal)
        // That other units were paid meanwhile says nothing of this one.
        if (excusesOf(unit) === excused) refusals += 1
      }
    }
  }

  return {
    node,
    get taken() {
      return funds.signed - funds.unsent
    },
    async block(cid, unit, signal, onFault) {
      const get = () => retriever.retrieve(cid, { signal, ...(onFault ? { onFault } : {}) })
      return unit < offer.previewUnits ? get() : getPaid(unit, signal, get)
    },
    async key(place, unit, tryKey, signal) {
      await keyHolder.pass(signal)
      return getPaid(unit, signal, () => keyHolder.key(place, { session: session?.session, tryKey, signal }))
    },
    async prepare(unit, lastUnit) {
      if (unit < offer.previewUnits) return
      foreseenUnits = lastUnit + 1
      cover(unit).catch(() => undefined)
      if (waiting.has(unit)) await untilAborted(sending.promise, life).catch(() => undefined)
    },
  }
}
