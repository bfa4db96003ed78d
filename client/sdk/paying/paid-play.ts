import type { Address, Subject } from '@hexachord/protocol/names'
import { type Fault, RetrievalFailed, type Retrieved } from '@hexachord/protocol/retrieval'
import { ZeroAddress } from 'ethers'
import { ApiError, pause } from '../connect/index.ts'
import type { AccountPass, KeyPlace, TryKey } from './ask-key.ts'
import { NodeRefused } from './channel-report.ts'
import { createNodePlay, type NodePlay } from './node-play.ts'
import { PaymentNeeded } from './payment-needed.ts'
import type { Purse, ToldTerms } from './purse.ts'
import type { HomeNode } from './till.ts'
import { untilAborted } from './until-aborted.ts'

/** Failures of a node in a row after which the play moves on. */
const failuresBeforeLeaving = 2
/** A block that is not there by then is asked for at the next node, too, and paid there: well below what players buffer. */
const usualStallMs = 4_000

export type PaidPlay = {
  /** A block of a unit, from the node that is being paid, or from the next one when that fails or stalls.
   * @throws PaymentNeeded, RetrievalFailed when no home node gives it, and the signal's reason */
  block(cid: string, unit: number, signal?: AbortSignal): Promise<Retrieved>
  /** The key of a premium track's segment, likewise, which opens it. @throws as `block` */
  key(place: KeyPlace, unit: number, tryKey: TryKey): Promise<Uint8Array>
  /** Pays for a unit that is about to be asked for, so that whoever asks does not wait for that. Fails silently: whoever
   * asks hears of it.
   * @param lastUnit of the track
   * @returns when the payment is on its way, there is nothing to send, or the play has ended; never rejects */
  prepare(unit: number, lastUnit: number): Promise<void>
}

export type PlayOptions = {
  readonly track: Subject
  /** What the index said of its terms just now, where it has been asked. */
  readonly told?: ToldTerms | undefined
  /** Whose playlist led there: the artist may give them a share. @default nobody */
  readonly curator?: Address | undefined
  readonly signal?: AbortSignal | undefined
  readonly onFault?: ((fault: Fault) => void) | undefined
  /** When a block is asked for at a second node, where no other one is. @default 4_000 */
  readonly stallMs?: number
  /** Operators that may be paid, such as those that have a track's keys; homes of the purse first. @default all */
  readonly among?: readonly Address[] | undefined
  /** Shows key holders whose account listens, where a track's artist asks for that. */
  readonly pass?: AccountPass | undefined
}

type Get<Got> = (node: NodePlay, signal: AbortSignal) => Promise<Got>

/** Pays for tracks as they are opened; see {@link playPaid}. */
export type PaidPlays = (options: PlayOptions) => Promise<PaidPlay | undefined>

/** What `openTrack` and the bridge take. @param curator whose playlist leads to what is heard */
export function paidPlays(purse: Purse, { curator }: Pick<PlayOptions, 'curator'> = {}): PaidPlays {
  return (options) => playPaid(purse, { ...options, curator: options.curator ?? curator })
}

/** Plays a track that costs something. It stays with one home node as long as that does its work, since every node is
 * paid for what it was asked for.
 * @returns undefined when the track is free
 * @throws ApiError when nobody says what it costs, RetrievalFailed when no home node would serve it */
export async function playPaid(purse: Purse, options: PlayOptions): Promise<PaidPlay | undefined> {
  const { track, curator = ZeroAddress as Address, onFault, stallMs = usualStallMs } = options
  const life = options.signal ?? new AbortController().signal
  const terms = await purse.termsOf(track, { told: options.told, signal: life })
  if (terms === undefined || terms.unitPrice === 0n) return undefined
  const { among } = options
  const serves = ({ offer }: HomeNode) => offer.leastNodeBps <= terms.nodeBps
  const preferred = await purse.preferredHomes()
  const found = await purse.homes.find(preferred, purse.homeCount, {
    ...{ signal: life, among, serves, holdsMoney: purse.holdsMoney, isAvoided: purse.isAvoided },
  })
  const nodes = found
    .filter(serves)
    .slice(0, purse.homeCount)
    .map((node) => createNodePlay(purse, node, { track, curator, terms, signal: life, pass: options.pass }))
  // Who cannot serve this track stays a home for others; who sells keys becomes one only where there is room.
  const stay = preferred.filter((home) => among || found.some(({ operator }) => operator === home))
  const homes = new Set([...stay, ...nodes.map(({ node }) => node.operator)])
  await purse.preferHomes([...homes].slice(0, purse.homeCount))
  if (nodes.length === 0) throw new RetrievalFailed(track, faultsOfNone(track))
  const failures = new Map<NodePlay, number>()
  /** Those that are not asked again in this play, and why. */
  const left = new Map<NodePlay, unknown>()
  const given = new Set<NodePlay>()
  /** While something is asked for at two nodes. */
  let hedge: Promise<void> | undefined
  /** Those that are no homes any more. */
  const out = new Set<NodePlay>()

  const isAvoided = ({ node }: NodePlay) => purse.isAvoided(node.operator)
  const hasFailed = (node: NodePlay) => (failures.get(node) ?? 0) >= failuresBeforeLeaving

  const isLeft = (node: NodePlay) => left.has(node) || hasFailed(node)

  /** Those that another play has left come last. */
  function standing(): NodePlay[] {
    const all = nodes.filter((node) => !isLeft(node))
    return [...all.filter((node) => !isAvoided(node)), ...all.filter(isAvoided)]
  }

  /** So that the next play does not lose to it what this one has lost. */
  function leave(node: NodePlay): void {
    if (out.has(node)) return
    out.add(node)
    // The music does not wait for that, and a memory that fails says so when the next payment is written to it.
    purse.leave(node.node.operator).catch(() => undefined)
  }

  /** Where all nodes fail it may be our own network: a node is left when another one does its work, or when it takes money
   * and gives nothing at all. */
  function fail(node: NodePlay): void {
    failures.set(node, (failures.get(node) ?? 0) + 1)
    if (hasFailed(node) && node.taken > 0n && !given.has(node)) leave(node)
  }

  function succeed(node: NodePlay): void {
    failures.delete(node)
    given.add(node)
    for (const other of nodes) if (hasFailed(other)) leave(other)
  }

  async function ask<Got>(node: NodePlay, get: Get<Got>, signal: AbortSignal): Promise<Got> {
    try {
      const got = await get(node, signal)
      succeed(node)
      return got
    } catch (error) {
      if (signal.aborted) throw error
      // That the budget is spent is no fault of a node's.
      if (error instanceof PaymentNeeded && error.lack === 'budget') throw error
      // A node that is wrong about money gets none; one that only fails gets a second try.
      if (error instanceof NodeRefused || error instanceof PaymentNeeded) left.set(node, error)
      else fail(node)
      if (error instanceof NodeRefused) leave(node)
      throw error
    }
  }

  /** Waits until the first node has stalled and nothing else is asked for at a second one: however much is fetched ahead,
   * one thing at a time is paid twice. What a node owes that is left is asked for elsewhere without that.
   * @returns what ends the turn */
  async function takeTurn(node: NodePlay, signal: AbortSignal): Promise<() => void> {
    await pause(stallMs, signal)
    while (hedge !== undefined && !isLeft(node)) {
      await untilAborted(hedge, signal)
      // The first node may be back.
      if (!isLeft(node)) await pause(stallMs, signal)
    }
    if (isLeft(node)) return () => undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    hedge = promise
    return () => {
      hedge = undefined
      resolve()
    }
  }

  /** Asks the next node, too, when the first one stalls; that may cost a unit and the one ahead, and counts as a failure of the
   * first. */
  async function hedged<Got>(
    [node, next]: readonly [NodePlay, NodePlay | undefined],
    get: Get<Got>,
    signal: AbortSignal,
  ): Promise<Got> {
    const losers = new AbortController()
    const both = AbortSignal.any([signal, losers.signal])
    const first = ask(node, get, both)
    if (next === undefined) return first
    const turn = takeTurn(node, both)
    try {
      const early = await Promise.race([first, turn.then(() => undefined)])
      if (early !== undefined) return early
      const second = ask(next, get, both).then((got) => {
        fail(node)
        if (hasFailed(node)) leave(node)
        return got
      })
      return await Promise.any([first, second])
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error
    } finally {
      losers.abort(outrun)
      turn.then(
        (end) => end(),
        () => undefined,
      )
    }
  }

  /** @param what is asked for, as faults name it */
  async function inTurn<Got>(what: string, get: Get<Got>, signal: AbortSignal): Promise<Got> {
    const faults: Fault[] = []
    /** What a node gives of other things makes up for nothing here. */
    const failed = new Map<NodePlay, number>()
    // All of them failed some time ago, and one may be back.
    if (standing().length === 0) failures.clear()
    for (;;) {
      signal.throwIfAborted()
      const [node, next] = standing().filter((one) => (failed.get(one) ?? 0) < failuresBeforeLeaving)
      if (node === undefined) break
      try {
        return await hedged([node, next !== undefined && isAvoided(next) ? undefined : next], get, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof PaymentNeeded && error.lack === 'budget') throw error
        faults.push(...faultsOf(error, node, what))
        failed.set(node, (failed.get(node) ?? 0) + 1)
      }
    }
    const lack = [...left.values()].find((error) => error instanceof PaymentNeeded)
    if (lack) throw lack
    const ends = [...left].flatMap(([node, error]) => faultsOf(error, node, what))
    throw new RetrievalFailed(what, faults.length > 0 ? faults : ends)
  }

  return {
    block: (cid, unit, signal = life) =>
      inTurn(cid, (node, either) => node.block(cid, unit, either, onFault), AbortSignal.any([life, signal])),
    key: (place, unit, tryKey) =>
      inTurn(
        `key of segment ${place.segment}`,
        (node, signal) => node.key(place, unit, tryKey, signal),
        life,
      ),
    async prepare(unit, lastUnit) {
      await standing()[0]?.prepare(unit, lastUnit)
    },
  }

  function faultsOfNone(cid: string): Fault[] {
    const reasons = [
      ...found.map(
        ({ origin, offer }) => `${origin} serves no track that gives it less than ${offer.leastNodeBps} bps`,
      ),
      ...purse.homes.refusals(),
    ]
    const message = reasons.join('; ') || 'no operator takes payment'
    return [{ source: 'home nodes', cid, kind: 'refused', message }]
  }
}

const outrun = new DOMException('another node was faster', 'AbortError')

/** @throws what says nothing about the node */
function faultsOf(error: unknown, { node: { origin } }: NodePlay, cid: string): readonly Fault[] {
  if (error instanceof RetrievalFailed) return error.faults
  const isOfNode = [NodeRefused, ApiError, PaymentNeeded, RangeError].some((kind) => error instanceof kind)
  if (error instanceof Error && isOfNode) {
    return [{ source: origin, cid, kind: 'refused', message: error.message }]
  }
  throw error
}
