import type { Address } from '@hexachord/protocol/names'
import { acceptedRanks } from '@hexachord/protocol/placement'
import type { HeldTrack } from '@hexachord/protocol/receipts'
import { type Catalogue, liveTrack } from '@hexachord/storage/catalogue'
import type { NodeClient } from '@hexachord/storage/peers'
import { askState, type KnownCopies, PeerFailed } from '../copies/index.ts'

/** Asked about one track: those in the ranks, and some more that are known to hold it. */
const askedAtMost = 12

/**
 * Whether others have as many copies of a track as there shall be, or are bringing them here and now. Asks each of
 * them. Those who bring it count only if they come before this node in the ranks, so that of two which have begun
 * together one goes on.
 * @throws the signal's reason
 */
export async function hasEnoughCopies(
  track: HeldTrack,
  options: {
    catalogue: Pick<Catalogue, 'operators' | 'ranks' | 'subject'>
    client: NodeClient
    copiesOf: (track: NonNullable<ReturnType<typeof liveTrack>>) => KnownCopies
    self: Address
  },
  signal: AbortSignal,
): Promise<boolean> {
  const { catalogue, client, copiesOf, self } = options
  const live = liveTrack(track.subject, catalogue.subject(track.subject))
  if (live === undefined || live.manifest !== track.manifest) return false
  const ranks = catalogue.ranks(track.subject)
  const order = ranks.operators.map(({ operator }) => operator)
  const ownRank = order.indexOf(self)
  const names = new Set([...order.slice(0, acceptedRanks), ...live.operators, ...copiesOf(live).holders])
  names.delete(self)
  const registered = catalogue.operators()
  const counted = await Promise.all(
    [...names].slice(0, askedAtMost).map(async (name) => {
      const peer = registered.get(name)
      if (peer === undefined || !(peer.active || peer.exiting)) return false
      try {
        const state = await askState({ client, peer, signal }, track)
        const rank = order.indexOf(name)
        const comesBefore = rank !== -1 && (ownRank === -1 || rank < ownRank)
        return state === 'held' || (state === 'bringing' && comesBefore)
      } catch (error) {
        if (error instanceof PeerFailed) return false
        throw error
      }
    }),
  )
  return counted.filter(Boolean).length >= ranks.copies
}
