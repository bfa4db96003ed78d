import type { Catalogue } from '@hexachord/storage/catalogue'
import type { Upload, UploadReplica } from '../uploads/index.ts'

/** By what receipts are judged: what an indexer would go by if the track were published in the next block. */
export type CountingBy = { catalogue: Pick<Catalogue, 'accepted' | 'operators'>; nowMs: number }

/**
 * Takes back receipts that were good when they came and that no indexer would accept any more, since one of them is
 * enough to have the action refused: their operator has left or its turn is over, it signs with another key, it has
 * come under the control of another holder, or their time is over. Such an operator may be asked again.
 * @returns the upload's replicas; undefined when every receipt counts
 */
export function withoutOutdated(
  { subject, replicas }: Pick<Upload, 'subject' | 'replicas'>,
  { catalogue, nowMs }: CountingBy,
): UploadReplica[] | undefined {
  const accepted = catalogue.accepted(subject).operators
  // Nobody could take the place of those that are gone, and they may come back.
  if (accepted.length === 0) return undefined
  const controllers = new Set<string>()
  let found = false

  function fault({ operator, receipt, signedBy }: UploadReplica): string | undefined {
    if (receipt === undefined) return undefined
    const ranked = accepted.find((other) => other.operator === operator)
    if (ranked === undefined) return 'it is not among the operators for the track any more'
    if (receipt.validUntil * 1000 <= nowMs) return 'its receipt is not valid any more'
    const keys = [ranked.hotKey, catalogue.operators().get(operator)?.hotKey]
    if (signedBy !== undefined && !keys.includes(signedBy)) return 'it signs with another key now'
    if (controllers.has(ranked.controller)) return 'another operator of its controller holds the track'
    controllers.add(ranked.controller)
    return undefined
  }

  const kept = replicas.map((replica): UploadReplica => {
    const reason = fault(replica)
    if (reason === undefined) return replica
    found = true
    const { receipt: _, signedBy: __, offer: ___, ...rest } = replica
    return { ...rest, state: 'failed', reason }
  })
  return found ? kept : undefined
}
