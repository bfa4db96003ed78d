/** A file to send. It is read in slices, never as a whole. */
export type UploadSource = {
  readonly filename: string
  /** A File in a browser; in Node `await openAsBlob(path)` of `node:fs`. */
  readonly content: Blob
  /** Tells this file from others when an upload is resumed: name, size and time of change will do. */
  readonly fingerprint: string
}

/** The file that someone chose in a browser. */
export function sourceOf(file: File): UploadSource {
  return {
    filename: file.name,
    content: file,
    fingerprint: `${file.name} ${file.size} ${file.lastModified}`,
  }
}
