import { Problem } from '@hexachord/platform/http'
import {
  type Action,
  applyAction,
  readAction,
  rulesVersionAt,
  type Verdict,
  type VerdictName,
} from '@hexachord/protocol/actions'
import type { Catalogue } from '@hexachord/storage/catalogue'

/** How each verdict that would doom an action is answered. */
const statuses: Readonly<Record<Exclude<VerdictName, 'applied'>, number>> = {
  unknownKind: 400,
  malformed: 400,
  wrongSubject: 400,
  notAuthorised: 403,
  stalePrev: 409,
  deleted: 409,
  handleTaken: 409,
  missingReceipts: 422,
  invalidReceipt: 422,
  notFound: 422,
  listTooLong: 422,
  outdated: 409,
  ahead: 400,
  muted: 403,
}

/** What every indexer would say of an action if it stood in the next block, as far as this node has read the chain.
 * @param nowMs ms since 1970 */
export function previewAction(
  catalogue: Pick<Catalogue, 'entry' | 'operatorsAt' | 'indexed' | 'rules'>,
  action: Action,
  nowMs: number,
): Verdict {
  const view = {
    get: catalogue.entry,
    operatorsAt: catalogue.operatorsAt,
    rulesVersionAt: (block: number) => rulesVersionAt(catalogue.rules.versions, block),
    domain: catalogue.rules.domain,
    placement: catalogue.rules.placement,
  }
  const place = { block: catalogue.indexed() + 1, timestamp: Math.floor(nowMs / 1000), logIndex: 0 }
  return applyAction(view, readAction(action), place)
}

/** The refusal that a verdict means for whoever sends the action; undefined for one that would be applied. */
export function problemOfVerdict(verdict: Verdict): Problem | undefined {
  if (verdict.verdict === 'applied') return undefined
  return new Problem({
    status: statuses[verdict.verdict],
    slug: verdict.verdict.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    title: 'Action would be rejected',
    detail: verdict.reason,
    members: { verdict: verdict.verdict },
  })
}
