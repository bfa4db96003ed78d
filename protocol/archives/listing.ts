import * as z from 'zod'
import { cidSchema } from '../cids/index.ts'
import { hashSchema } from '../names/index.ts'

/** `GET /archives?after=<epoch>&limit=`: the archives that a node holds, oldest first. What it says of one is a
 * promise; the block named `root` is the truth. */
export const archiveEntrySchema = z.object({
  epoch: z.int().nonnegative(),
  fromBlock: z.int().nonnegative(),
  toBlock: z.int().nonnegative(),
  root: cidSchema,
  stateHash: hashSchema,
  logs: z.int().nonnegative(),
  byteLength: z.int().nonnegative(),
})
export type ArchiveEntry = z.infer<typeof archiveEntrySchema>
