import { ZeroAddress } from 'ethers'
import type { Address, Hash } from '../names/index.ts'
import { type Line, LinesError, unpackLines } from './lines.ts'
import { shareOut, splitLine } from './split.ts'
import { checkTerms, type Terms, TermsError, termsDelaySeconds } from './terms.ts'

/**
 * StreamEscrow and TrackRegistry once more, to be read: what they do to balances, with a name of their own error for
 * everything that they refuse. Signatures are left out: whoever is named as signer has signed. A test of the contracts
 * takes both through the same random operations.
 */
export type Ledger = {
  readonly releaseSeconds: number
  readonly balances: Map<Address, bigint>
  /** By payer, key and node. */
  readonly channels: Map<string, Channel>
  /** By payer and key. */
  readonly sessions: Map<string, Session>
  readonly tracks: Map<Hash, Track>
  /** By track and version: what was earned, and what of it distributed. */
  readonly earned: Map<string, { total: bigint; distributed: bigint }>
}

type Channel = { reserved: bigint; settled: bigint; released: bigint; releasing: bigint; readyAt: number }
type Session = { cap: bigint; reserved: bigint; expiry: number; revoked: boolean }
type Track = {
  owner: Address
  offeredTo: Address | undefined
  /** From version 1 on. */
  terms: Terms[]
  version: number
  change: { version: number; effectiveAt: number } | undefined
}

/** A voucher as it is redeemed; `signer` is whose signature it carries. */
export type Claim = {
  readonly payer: Address
  readonly signer: Address
  readonly base: bigint
  readonly cumulative: bigint
  readonly lines: Uint8Array
}

/** What anybody can do; `caller` sent it, `signer` signed it. Amounts in base units, times in unix seconds. */
export type Operation =
  | { do: 'deposit'; account: Address; amount: bigint }
  | { do: 'withdraw'; caller: Address; amount: bigint }
  | { do: 'authorizeSession'; signer: Address; key: Address; cap: bigint; expiry: number }
  | { do: 'revokeSession'; caller: Address; key: Address }
  | { do: 'reserve'; payer: Address; signer: Address; node: Address; total: bigint }
  | { do: 'initiateRelease'; caller: Address; key: Address; node: Address; amount: bigint }
  | { do: 'finalizeRelease'; caller: Address; key: Address; node: Address }
  | { do: 'redeem'; node: Address; claims: readonly Claim[] }
  | { do: 'payTrack'; track: Hash; node: Address; curator: Address; amount: bigint }
  | { do: 'distribute'; track: Hash; version: number }
  | { do: 'setTerms'; signer: Address; track: Hash; terms: Terms }
  | { do: 'cancelChange'; caller: Address; track: Hash }
  | { do: 'offerTrack'; caller: Address; track: Hash; to: Address }
  | { do: 'acceptTrack'; caller: Address; track: Hash }

/** An operation that the contracts refuse; `fault` is the name of their error. */
export class LedgerRefusal extends Error {
  override readonly name = 'LedgerRefusal'
  readonly fault: string
  constructor(fault: string) {
    super(fault)
    this.fault = fault
  }
}

/** @param releaseSeconds how long a release waits */
export function emptyLedger(releaseSeconds: number): Ledger {
  return {
    releaseSeconds,
    balances: new Map(),
    channels: new Map(),
    sessions: new Map(),
    tracks: new Map(),
    earned: new Map(),
  }
}

/** The ledger after an operation in a block of time `now`; the one before stays as it is.
 * @throws LedgerRefusal */
export function operate(before: Ledger, operation: Operation, now: number): Ledger {
  const ledger = structuredClone(before)
  switch (operation.do) {
    case 'deposit':
      refuseIf(operation.account === ZeroAddress, 'StreamAccountZero')
      refuseIf(operation.amount === 0n, 'StreamAmountZero')
      credit(ledger, operation.account, operation.amount)
      break
    case 'withdraw':
      refuseIf(operation.amount === 0n, 'StreamAmountZero')
      debit(ledger, operation.caller, operation.amount)
      break
    case 'authorizeSession':
      authorizeSession(ledger, operation)
      break
    case 'revokeSession':
      sessionOf(ledger, operation.caller, operation.key).revoked = true
      break
    case 'reserve':
      reserve(ledger, operation, now)
      break
    case 'initiateRelease': {
      const channel = channelOf(ledger, operation.caller, operation.key, operation.node)
      refuseIf(operation.amount > availableIn(channel), 'StreamReleaseTooLarge')
      channel.releasing = operation.amount
      channel.readyAt = operation.amount === 0n ? 0 : now + ledger.releaseSeconds
      break
    }
    case 'finalizeRelease':
      finalizeRelease(ledger, operation, now)
      break
    case 'redeem':
      for (const claim of operation.claims) redeem(ledger, operation.node, claim, now)
      break
    case 'payTrack':
      refuseIf(operation.node === ZeroAddress, 'StreamAccountZero')
      settleLine(ledger, operation.node, operation, now)
      break
    case 'distribute':
      distribute(ledger, operation)
      break
    case 'setTerms':
      setTerms(ledger, operation, now)
      break
    case 'cancelChange': {
      const track = ownedTrack(ledger, operation)
      refuseIf(track.change === undefined || now >= track.change.effectiveAt, 'TrackNoChange')
      track.change = undefined
      break
    }
    case 'offerTrack':
      ownedTrack(ledger, operation).offeredTo = operation.to === ZeroAddress ? undefined : operation.to
      break
    case 'acceptTrack':
      acceptTrack(ledger, operation, now)
      break
  }
  return ledger
}

function authorizeSession(
  ledger: Ledger,
  { signer, key, cap, expiry }: Extract<Operation, { do: 'authorizeSession' }>,
): void {
  const session = sessionOf(ledger, signer, key)
  refuseIf(session.revoked || key === signer, 'StreamSessionUnknown')
  refuseIf(cap < session.cap || expiry < session.expiry, 'StreamSessionShrunk')
  Object.assign(session, { cap, expiry })
}

function reserve(
  ledger: Ledger,
  { payer, signer, node, total }: Extract<Operation, { do: 'reserve' }>,
  now: number,
): void {
  refuseIf(node === ZeroAddress, 'StreamAccountZero')
  const channel = channelOf(ledger, payer, signer, node)
  refuseIf(total <= channel.reserved, 'StreamReserveNotRaised')
  const raised = total - channel.reserved
  debit(ledger, payer, raised)
  channel.reserved = total
  if (signer === payer) return
  const session = sessionOf(ledger, payer, signer)
  refuseIf(session.expiry === 0 || session.revoked, 'StreamSessionUnknown')
  refuseIf(now > session.expiry, 'StreamSessionExpired')
  refuseIf(session.reserved + raised > session.cap, 'StreamSessionCapExceeded')
  session.reserved += raised
}

function finalizeRelease(
  ledger: Ledger,
  { caller, key, node }: Extract<Operation, { do: 'finalizeRelease' }>,
  now: number,
): void {
  const channel = channelOf(ledger, caller, key, node)
  refuseIf(channel.readyAt === 0, 'StreamNotReleasing')
  refuseIf(now < channel.readyAt, 'StreamReleaseNotReady')
  const available = availableIn(channel)
  const amount = channel.releasing < available ? channel.releasing : available
  Object.assign(channel, { released: channel.released + amount, releasing: 0n, readyAt: 0 })
  credit(ledger, caller, amount)
}

function redeem(ledger: Ledger, node: Address, claim: Claim, now: number): void {
  const channel = channelOf(ledger, claim.payer, claim.signer, node)
  refuseIf(claim.cumulative > channel.reserved - channel.released, 'StreamReserveExceeded')
  refuseIf(claim.base !== channel.settled, 'StreamVoucherStale')
  channel.settled = claim.cumulative
  let sum = 0n
  for (const line of linesOf(claim.lines)) {
    settleLine(ledger, node, line, now)
    sum += line.amount
  }
  refuseIf(claim.base + sum !== claim.cumulative, 'StreamLinesSum')
}

function settleLine(ledger: Ledger, node: Address, line: Line, now: number): void {
  refuseIf(line.amount === 0n, 'StreamAmountZero')
  const track = trackOf(ledger, line.track)
  const version = versionInForce(track, now)
  const split = splitLine(line, termsOf(track, version))
  credit(ledger, node, split.node)
  credit(ledger, line.curator, split.curator)
  earnedBy(ledger, line.track, version).total += split.track
}

function distribute(ledger: Ledger, { track, version }: Extract<Operation, { do: 'distribute' }>): void {
  const earned = earnedBy(ledger, track, version)
  refuseIf(earned.total === earned.distributed, 'StreamNothingToDistribute')
  const { payees, payeeBps } = termsOf(trackOf(ledger, track), version)
  const amounts = shareOut(earned.total, earned.distributed, payeeBps)
  for (const [index, payee] of payees.entries()) credit(ledger, payee, amounts[index] ?? 0n)
  earned.distributed = earned.total
}

function setTerms(
  ledger: Ledger,
  { signer, track: id, terms }: Extract<Operation, { do: 'setTerms' }>,
  now: number,
): void {
  const known = ledger.tracks.get(id)
  refuseIf(signer !== (known?.owner ?? id.slice(0, 42)), 'TrackNotOwned')
  refuseWrongTerms(terms)
  if (known === undefined) {
    const track = { owner: signer, offeredTo: undefined, terms: [terms], version: 1, change: undefined }
    ledger.tracks.set(id, track)
    return
  }
  known.version = versionInForce(known, now)
  known.terms.push(terms)
  known.change = { version: known.terms.length, effectiveAt: now + termsDelaySeconds }
}

function acceptTrack(
  ledger: Ledger,
  { caller, track: id }: Extract<Operation, { do: 'acceptTrack' }>,
  now: number,
): void {
  const track = ledger.tracks.get(id)
  if (track === undefined || track.offeredTo !== caller) throw new LedgerRefusal('TrackNotOffered')
  Object.assign(track, { owner: caller, offeredTo: undefined })
  if (track.change !== undefined && now < track.change.effectiveAt) track.change = undefined
}

function refuseWrongTerms(terms: Terms): void {
  try {
    checkTerms(terms)
  } catch (error) {
    throw error instanceof TermsError ? new LedgerRefusal(error.fault) : error
  }
}

function linesOf(packed: Uint8Array) {
  try {
    return unpackLines(packed)
  } catch (error) {
    throw error instanceof LinesError ? new LedgerRefusal('StreamLinesMalformed') : error
  }
}

function versionInForce({ version, change }: Track, now: number): number {
  return change !== undefined && now >= change.effectiveAt ? change.version : version
}

function termsOf(track: Track, version: number): Terms {
  const terms = track.terms[version - 1]
  if (terms === undefined) throw new LedgerRefusal('TrackTermsUnknown')
  return terms
}

function trackOf(ledger: Ledger, id: Hash): Track {
  const track = ledger.tracks.get(id)
  if (track === undefined) throw new LedgerRefusal('TrackUnknown')
  return track
}

function ownedTrack(ledger: Ledger, { caller, track: id }: { caller: Address; track: Hash }): Track {
  const track = trackOf(ledger, id)
  refuseIf(track.owner !== caller, 'TrackNotOwned')
  return track
}

function channelOf({ channels }: Ledger, payer: Address, key: Address, node: Address): Channel {
  const empty = { reserved: 0n, settled: 0n, released: 0n, releasing: 0n, readyAt: 0 }
  return entryOf(channels, `${payer} ${key} ${node}`, empty)
}

function sessionOf({ sessions }: Ledger, payer: Address, key: Address): Session {
  return entryOf(sessions, `${payer} ${key}`, { cap: 0n, reserved: 0n, expiry: 0, revoked: false })
}

function earnedBy({ earned }: Ledger, track: Hash, version: number) {
  return entryOf(earned, `${track} ${version}`, { total: 0n, distributed: 0n })
}

function availableIn({ reserved, settled, released }: Channel): bigint {
  return reserved - released - settled
}

function credit({ balances }: Ledger, account: Address, amount: bigint): void {
  if (amount > 0n) balances.set(account, (balances.get(account) ?? 0n) + amount)
}

function debit({ balances }: Ledger, account: Address, amount: bigint): void {
  const balance = balances.get(account) ?? 0n
  refuseIf(amount > balance, 'StreamBalanceInsufficient')
  balances.set(account, balance - amount)
}

function entryOf<Value>(map: Map<string, Value>, key: string, empty: Value): Value {
  const value = map.get(key) ?? empty
  map.set(key, value)
  return value
}

function refuseIf(condition: boolean, fault: string): void {
  if (condition) throw new LedgerRefusal(fault)
}
