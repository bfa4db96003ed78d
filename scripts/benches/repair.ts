import { nginx } from '../setup/index.ts'
import type { Bench } from './bench.ts'
import { compareCopies } from './copying/compare-copies.ts'

/** What happens when one of three copies is lost: another operator takes the track from the two that are left. */
export const repair: Bench = {
  name: 'repair',
  summary: 'from two copies of a track to three, over copying its bytes by plain HTTP',
  limit: { atMost: 1.5 },
  programs: [nginx],
  run: (context) =>
    compareCopies(context, {
      ...{ copies: 1, holders: 2 },
      leavesOut: 'finding out: some 10 s with one copy left, a grace of 15 min with two',
    }),
}
