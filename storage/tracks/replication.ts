import { copiesPossible } from '@hexachord/protocol/placement'
import { fullCopies } from '@hexachord/protocol/receipts'
import type { Catalogue } from '../catalogue/index.ts'

/** How many copies tracks have in a network at a moment. */
export type Replication = {
  /** Copies that a track has when everybody does his duty. */
  readonly copies: number
  /** Copies that it should have. */
  readonly wanted: number
  /** Why these are fewer; null when they are not. */
  readonly reason: string | null
}

/** As of the operators whom placement counts now. */
export function replicationNow(catalogue: Pick<Catalogue, 'ranking' | 'rules'>): Replication {
  const copies = copiesPossible(catalogue.ranking(), catalogue.rules.placement.bytesPerToken)
  const who = copies === 1 ? 'only one operator has' : `only ${copies} operators under different control have`
  const nobody = 'no operator has'
  const reason = `${copies === 0 ? nobody : who} both stake and capacity at the start of this epoch: a track gets ${copies} of ${fullCopies} copies until there are more`
  return { copies, wanted: fullCopies, reason: copies < fullCopies ? reason : null }
}
