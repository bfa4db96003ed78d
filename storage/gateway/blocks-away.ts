import { Problem } from '@hexachord/platform/http'
import type { KuboUnavailable } from '../ipfs/index.ts'

const retryAfterSeconds = '5'

/** What keeps the blocks comes back by itself, such as after its restart; others may have them meanwhile. */
export function blocksAway(cause: KuboUnavailable): Problem {
  return new Problem({
    status: 503,
    slug: 'blocks-away',
    title: 'Blocks away',
    detail: 'what keeps the blocks of this node does not answer now; try again soon, or ask another holder',
    headers: { 'Retry-After': retryAfterSeconds },
    cause,
  })
}
