import { type Address, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { splitLine, type Terms } from '@hexachord/protocol/payments'
import { type KnownTrack, versionInForce } from './known-tracks.ts'
import type { PaidLine, PaymentEvent } from './payment-events.ts'

/** What one line of a voucher, or one payout, adds to the books. Amounts in base units of the token. */
export type PaymentEntry = {
  readonly block: number
  readonly logIndex: number
  /** Of the line in its voucher. */
  readonly place: number
  /** UTC, `2026-11-29`. */
  readonly day: string
  readonly track: Subject
  readonly version: number
  readonly owner: Address
} & (
  | {
      readonly type: 'line'
      readonly node: Address
      readonly curator: Address
      readonly units: bigint
      readonly paid: bigint
      readonly nodeShare: bigint
      readonly curatorShare: bigint
      readonly trackShare: bigint
    }
  | { readonly type: 'payout'; readonly payee: Address; readonly amount: bigint }
)

/** What a range of the chain changes. */
export type RangeOfPayments = {
  readonly owners: readonly Extract<PaymentEvent, { type: 'owned' }>[]
  /** Tracks whose terms were set or dropped. */
  readonly changed: ReadonlySet<Subject>
  /** In the order of the chain. */
  readonly entries: readonly PaymentEntry[]
}

/** Reads events as the contracts meant them: each line is split by the terms that were in force at its block's time.
 * @param tracks as they stand before; changed to how they stand after
 * @param timeOf unix seconds of a block
 * @throws Error where the events cannot be those of the contracts */
export function readRange(
  events: readonly PaymentEvent[],
  tracks: Map<Subject, KnownTrack>,
  timeOf: (block: number) => number,
): RangeOfPayments {
  const owners: Extract<PaymentEvent, { type: 'owned' }>[] = []
  const changed = new Set<Subject>()
  const entries: PaymentEntry[] = []
  let distributing: Extract<PaymentEvent, { type: 'distributed' }> | undefined

  for (const event of events) {
    switch (event.type) {
      case 'owned': {
        owners.push(event)
        const known = tracks.get(event.track)
        if (known === undefined) tracks.set(event.track, { owner: event.owner, terms: new Map() })
        else known.owner = event.owner
        break
      }
      case 'termsSet': {
        const { terms } = knownIn(tracks, event.track)
        // A change that still waits is replaced; one whose time has come was in force until now.
        for (const earlier of terms.values()) {
          if (earlier.effectiveAt > timeOf(event.block)) earlier.droppedBlock ??= event.block
        }
        const { version, effectiveAt, block } = event
        terms.set(version, { ...event.terms, effectiveAt, block, droppedBlock: null })
        changed.add(event.track)
        break
      }
      case 'termsCancelled': {
        const cancelled = knownIn(tracks, event.track).terms.get(event.version)
        if (cancelled !== undefined) cancelled.droppedBlock ??= event.block
        changed.add(event.track)
        break
      }
      case 'paid':
        entries.push(
          ...event.lines.map((line, place) =>
            entryOfLine({ ...event, line, place }, knownIn(tracks, line.track), timeOf(event.block)),
          ),
        )
        break
      case 'distributed':
        distributing = event
        break
      case 'credited': {
        if (distributing?.track !== event.track)
          throw new Error('a payee is credited outside of a distribution')
        const { block, logIndex, track, payee, amount } = event
        const { owner } = knownIn(tracks, track)
        const of = { day: dayOf(timeOf(block)), track, version: distributing.version, owner }
        entries.push({ type: 'payout', block, logIndex, place: 0, ...of, payee, amount })
        break
      }
    }
  }
  return { owners, changed, entries }
}

function entryOfLine(
  at: { block: number; logIndex: number; place: number; node: Address; line: PaidLine },
  known: KnownTrack,
  time: number,
): PaymentEntry {
  const { block, logIndex, place, node, line } = at
  const version = versionInForce(known, time)
  const terms: Terms | undefined = version === undefined ? undefined : known.terms.get(version)
  if (version === undefined || terms === undefined) {
    throw new Error(`a line pays for ${line.track}, whose terms nobody has set`)
  }
  const split = splitLine(line, terms)
  return {
    ...{ type: 'line', block, logIndex, place, day: dayOf(time), track: line.track, version },
    ...{ owner: known.owner, node, curator: line.curator },
    units: terms.unitPrice === 0n ? 0n : line.amount / terms.unitPrice,
    ...{ paid: line.amount, nodeShare: split.node, curatorShare: split.curator, trackShare: split.track },
  }
}

function knownIn(tracks: ReadonlyMap<Subject, KnownTrack>, track: Subject): KnownTrack {
  const known = tracks.get(track)
  if (known === undefined) throw new Error(`nobody has registered the track ${subjectToBytes32(track)}`)
  return known
}

function dayOf(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString().slice(0, 10)
}

/** Tracks of which a range speaks. */
export function tracksIn(events: readonly PaymentEvent[]): Subject[] {
  return [
    ...new Set(
      events.flatMap((event) =>
        event.type === 'paid' ? event.lines.map(({ track }) => track) : [event.track],
      ),
    ),
  ]
}
