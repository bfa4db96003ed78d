import type { Sender } from '@hexachord/platform/chain'
import type { Hash } from '@hexachord/protocol/names'
import type { ActionStatus } from '@hexachord/protocol/rest'
import type { Catalogue } from '@hexachord/storage/catalogue'

/** Where an action stands: as this node's own index has judged it, or else as its outbox knows.
 * @returns undefined for one that this node has never heard of */
export function actionStatus(
  hash: Hash,
  { catalogue, sender }: { catalogue: Pick<Catalogue, 'action'>; sender: Pick<Sender, 'status'> },
): ActionStatus | undefined {
  const transaction = sender.status(hash)
  const recorded = catalogue.action(hash)
  const sent = transaction?.hash == null ? {} : { transaction: transaction.hash as Hash }
  if (recorded !== undefined) {
    const { subject, place, verdict, reason } = recorded
    const at = { subject, block: place.block, logIndex: place.logIndex }
    if (verdict === 'applied') return { hash, status: 'applied', ...at, ...sent }
    return { hash, status: 'rejected', verdict, ...(reason === undefined ? {} : { reason }), ...at, ...sent }
  }
  if (transaction === null) return undefined
  switch (transaction.state) {
    case 'queued':
    case 'sent':
      return { hash, status: 'pending', ...sent }
    case 'mined':
    case 'final':
      return {
        hash,
        status: 'mined',
        ...sent,
        ...(transaction.blockNumber === null ? {} : { block: transaction.blockNumber }),
      }
    case 'failed':
      return {
        hash,
        status: 'rejected',
        verdict: 'neverMined',
        reason: transaction.reason ?? 'the chain refuses the action',
        ...sent,
      }
  }
}
