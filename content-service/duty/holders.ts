import type { Address } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import type { Catalogue, LiveTrack } from '@hexachord/storage/catalogue'

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

/** Everybody else who may have a copy for other reasons, such as the node where it was made, or one that leaves. */
export function lastResorts(
  holders: readonly Operator[],
  catalogue: Pick<Catalogue, 'operators'>,
  self: Address,
): Operator[] {
  return [...catalogue.operators().values()].filter(
    ({ operator, active, exiting }) =>
      (active || exiting) && operator !== self && !holders.some((holder) => holder.operator === operator),
  )
}
