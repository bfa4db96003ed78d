import type { Address } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import type { Catalogue, LiveTrack } from '../catalogue/index.ts'

/** Other operators that should hold a published track, surest first: those whose receipts were published with it,
 * then those whom placement names. Only active ones. */
export function otherHolders(
  track: Pick<LiveTrack, 'subject' | 'operators'>,
  catalogue: Pick<Catalogue, 'operators' | 'ranks'>,
  self: Address,
): Operator[] {
  const operators = catalogue.operators()
  const ranks = catalogue.ranks(track.subject)
  const names = [
    ...track.operators,
    ...ranks.operators.slice(0, ranks.copies).map(({ operator }) => operator),
  ]
  return [...new Set(names)].flatMap((name) => {
    const operator = operators.get(name)
    return operator?.active && name !== self ? [operator] : []
  })
}
