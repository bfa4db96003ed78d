import * as z from 'zod'
import { dagJsonLinkSchema, maximumBlockBytes, rawLinkSchema } from '../cids/index.ts'
import { hashSchema } from '../names/index.ts'

/** Blocks of the largest file that an original may be: as many as one list block of 1 MiB names. */
const maximumBlocks = 12_000

/** Visible and harmless as the name of a saved file: no path, and nothing that a terminal or a header would obey.
 * Unlike others, the class Cc is the same in every version of Unicode. */
const filenamePattern = /^(?!\.{1,2}$)[^/\\\p{Cc}]+$/u

/** The file as the artist sent it, for whoever wants more than renditions. */
export const originalSchema = z.strictObject({
  filename: z.string().max(255).regex(filenamePattern),
  /** Media type (RFC 6838), as its sender says. */
  type: z
    .string()
    .max(100)
    .regex(/^[a-z]+\/[a-z0-9][a-z0-9.+-]*$/),
  byteLength: z
    .int()
    .positive()
    .max(maximumBlocks * maximumBlockBytes),
  sha256: hashSchema,
  /** Block that lists the file's blocks. */
  list: dagJsonLinkSchema,
})

/** Blocks of a file in order: put together they are the file. */
export const originalListSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('original'),
  /** Per block: bytes, block. */
  blocks: z
    .array(z.tuple([z.int().positive().max(maximumBlockBytes), rawLinkSchema]))
    .min(1)
    .max(maximumBlocks),
})

export type Original = z.infer<typeof originalSchema>
export type OriginalList = z.infer<typeof originalListSchema>
export type LoadedOriginal = OriginalList & { readonly cid: string; readonly byteLength: number }

/** A name that a manifest takes, from whatever a client calls its file: its last part, without what is no letter. */
export function originalFilename(name: string): string {
  const last = name.toWellFormed().split(/[/\\]/).at(-1) ?? ''
  const visible = last.replaceAll(/\p{Cc}/gu, '').slice(0, 255)
  return filenamePattern.test(visible.toWellFormed()) ? visible.toWellFormed() : 'original'
}
