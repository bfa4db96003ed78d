import type { Address } from '@hexachord/protocol/names'
import { type SessionReport, tillJson } from '@hexachord/protocol/payments'
import { type Book, type Session, sentVoucher } from './book/index.ts'
import type { PaymentsView } from './payments-view.ts'

type Known = {
  readonly book: Book
  readonly view: Pick<PaymentsView, 'termsOf' | 'channel'>
  readonly node: Address
}

/** What a listener is told of its session. */
export function reportOf({ book, view, node }: Known, session: Session): SessionReport {
  const { token, expiresAt, subject, manifest, curator, units, track, fetches, channel } = session
  const { payer, key, base, last, frozen } = channel
  const { reserved, released } = view.channel(payer, key)
  const awaited = book.awaitedOf(channel)
  // The one that ends at `base`, which shows the listener that it signed so far.
  const newest = frozen.at(-1)
  return {
    ...{ session: token, expiresAt, subject, manifest, curator, units },
    unitPrice: view.termsOf(track)?.unitPrice ?? 0n,
    paidUnits: [...fetches.keys()].sort((a, b) => a - b),
    credit: channel.credits.get(track) ?? 0n,
    channel: {
      ...{ payer, key, node, reserved, released, base },
      awaited: awaited > reserved ? awaited - reserved : 0n,
      last: last === undefined ? null : sentVoucher(payer, last),
      frozen: newest === undefined ? null : sentVoucher(payer, newest),
    },
  }
}

/** The report as members of a problem, so that whoever is refused knows at once where to go on. */
export function sessionMembers(known: Known, session: Session): { report: unknown } {
  return { report: JSON.parse(tillJson(reportOf(known, session))) }
}
