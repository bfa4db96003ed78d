import { type SignedAction, signedActionSchema } from '@hexachord/protocol/actions'
import { addressSchema, type Hash, hashSchema, type Subject, subjectSchema } from '@hexachord/protocol/names'
import * as z from 'zod'
import type { Account } from '../keys/index.ts'
import type { AskedPremium } from './check-premium.ts'
import type { UploadSource } from './source.ts'

/** What is needed to go on with an upload: which node has how much of it under which URL is asked there. */
export type SavedUpload = {
  readonly subject: Subject
  readonly node: string
  readonly url: string
  /** For lists that people read. */
  readonly filename?: string | undefined
  /** The publish action, kept before it is sent: after a crash the same one is sent again, never a second one. */
  readonly signed?: SignedAction | undefined
  /** Where the file says it stands on its album, for the order of one that is not all published. */
  readonly place?: number | undefined
  /** Whether it was published: the same file is not published twice by mistake. */
  readonly published?: boolean | undefined
  /** How long operators hold it, in ms since 1970, where that is longer than usual. */
  readonly grantUntilMs?: number | undefined
  /** The action that a node holds back until its release, and whether it came that far is for that node to tell. */
  readonly held?: HeldUpload | undefined
  /** Whether another node has taken over: what this one has is to be given up. */
  readonly left?: boolean | undefined
  /** Of a premium track: how it was begun. */
  readonly premium?: Required<AskedPremium> | undefined
}

export type HeldUpload = {
  readonly node: string
  readonly hash: Hash
  readonly holdUntilMs: number
  /** What the track will be called. */
  readonly title: string
}

/** For memories that outlive the program that wrote them. */
export const savedUploadSchema = z.object({
  subject: subjectSchema,
  node: z.string(),
  url: z.string(),
  filename: z.string().optional(),
  signed: signedActionSchema.optional(),
  place: z.int().optional(),
  published: z.boolean().optional(),
  left: z.boolean().optional(),
  grantUntilMs: z.int().optional(),
  held: z.object({ node: z.string(), hash: hashSchema, holdUntilMs: z.int(), title: z.string() }).optional(),
  premium: z
    .object({ keyHolders: z.array(addressSchema).readonly(), clearMs: z.int().nonnegative() })
    .optional(),
})

/** Where a client keeps uploads that are under way, so that it can go on after a restart. */
export type UploadMemory = {
  load(key: string): Promise<SavedUpload | undefined>
  save(key: string, saved: SavedUpload): Promise<void>
  forget(key: string): Promise<void>
  /** All that is kept, in any order. Without it, nodes find out by themselves what was given up. */
  list?(): Promise<{ readonly key: string; readonly saved: SavedUpload }[]>
}

/** A premium track and one in the clear are two uploads of a file: neither goes on with the other, or counts as it. */
export function memoryKey(
  account: Account,
  source: Pick<UploadSource, 'fingerprint'>,
  { premium = false }: { readonly premium?: boolean } = {},
): string {
  return `${account.address} ${source.fingerprint}${premium ? ' premium' : ''}`
}

/** Key of what was left behind at a node. */
export function leftKey(url: string): string {
  return `left ${url}`
}

/** To be called when an upload was published, or is not wanted any more: the same file is a new track then. */
export async function forgetUpload(
  memory: UploadMemory,
  account: Account,
  source: UploadSource,
  options: { readonly premium?: boolean } = {},
): Promise<void> {
  await memory.forget(memoryKey(account, source, options))
}
