import { nginx } from '../setup/index.ts'
import type { Bench } from './bench.ts'
import { compareCopies } from './copying/compare-copies.ts'

/** What happens when a track is published: three operators take it at the same time from the node that made it. */
export const replicate: Bench = {
  name: 'replicate',
  summary:
    'three verified, synced copies of a track with receipts, over copying its bytes three times by plain HTTP',
  limit: { atMost: 1.5 },
  programs: [nginx],
  run: (context) => compareCopies(context, { copies: 3, holders: 1, leavesOut: 'the offers' }),
}
