import type { Address } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import type { Catalogue } from '@hexachord/storage/catalogue'

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
