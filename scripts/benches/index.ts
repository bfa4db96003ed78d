import type { Bench } from './bench.ts'
import { gateway } from './gateway.ts'
import { ingest } from './ingest.ts'
import { playlist } from './playlist.ts'
import { repair } from './repair.ts'
import { replicate } from './replicate.ts'
import { scrub } from './scrub.ts'
import { start } from './start.ts'

export { type Bench, type BenchContext, type BenchResult, describeLimit, holds, type Limit } from './bench.ts'

/** All of them, in the order in which content goes through the network. */
export const benches: readonly Bench[] = [ingest, replicate, gateway, repair, scrub, playlist, start]
