import { parsed } from '@hexachord/protocol/checked'
import { type Hash, hashSchema } from '@hexachord/protocol/names'

/** A file to send. It is read in slices, never as a whole. */
export type UploadSource = {
  readonly filename: string
  /** A File in a browser; in Node `await openAsBlob(path)` of `node:fs`. */
  readonly content: Blob
  /** Tells this file from others when an upload is resumed: name, size and time of change will do. */
  readonly fingerprint: string
  /** sha256 of the content, if it can be had: a node that has had the same file before does not need it again. */
  readonly sha256?: (signal?: AbortSignal) => Promise<Hash | undefined>
}

/** Browsers hash only what is in memory as a whole. */
const maximumHashedBytes = 128 << 20

/** The file that someone chose in a browser. */
export function sourceOf(file: File): UploadSource {
  return {
    filename: file.name,
    content: file,
    fingerprint: `${file.name} ${file.size} ${file.lastModified}`,
    sha256: async () => (file.size <= maximumHashedBytes ? sha256Of(await file.arrayBuffer()) : undefined),
  }
}

async function sha256Of(bytes: ArrayBuffer): Promise<Hash | undefined> {
  // Pages that came by plain HTTP have no Web Crypto.
  const digest = await globalThis.crypto.subtle?.digest('SHA-256', bytes)
  if (digest === undefined) return undefined
  const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return parsed(hashSchema, `0x${hex}`)
}
