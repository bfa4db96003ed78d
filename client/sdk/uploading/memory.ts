import type { Subject } from '@hexachord/protocol/names'
import type { Account } from '../keys/index.ts'
import type { UploadSource } from './source.ts'

/** What is needed to go on with an upload: which node has how much of it under which URL is asked there. */
export type SavedUpload = { readonly subject: Subject; readonly node: string; readonly url: string }

/** Where a client keeps uploads that are under way, so that it can go on after a restart. */
export type UploadMemory = {
  load(key: string): Promise<SavedUpload | undefined>
  save(key: string, saved: SavedUpload): Promise<void>
  forget(key: string): Promise<void>
}

export function memoryKey(account: Account, source: UploadSource): string {
  return `${account.address} ${source.fingerprint}`
}

/** To be called when an upload was published, or is not wanted any more: the same file is a new track then. */
export async function forgetUpload(
  memory: UploadMemory,
  account: Account,
  source: UploadSource,
): Promise<void> {
  await memory.forget(memoryKey(account, source))
}
