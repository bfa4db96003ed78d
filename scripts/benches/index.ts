import type { Bench } from './bench.ts'
import { gateway } from './gateway.ts'
import { head } from './head.ts'
import { indexing } from './indexing.ts'
import { ingest } from './ingest.ts'
import { listen } from './listen.ts'
import { playlist } from './playlist.ts'
import { reads } from './reads.ts'
import { repair } from './repair.ts'
import { replicate } from './replicate.ts'
import { scrub } from './scrub.ts'
import { settle } from './settle.ts'
import { start } from './start.ts'
import { till } from './till.ts'

export { type Bench, type BenchContext, type BenchResult, describeLimit, holds, type Limit } from './bench.ts'

/** All of them, in the order in which content goes through the network; then what is paid for it. */
export const benches: readonly Bench[] = [
  ingest,
  replicate,
  gateway,
  repair,
  scrub,
  playlist,
  start,
  indexing,
  head,
  reads,
  till,
  settle,
  listen,
]
