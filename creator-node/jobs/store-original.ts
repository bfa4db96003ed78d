import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { linkTo, maximumBlockBytes } from '@hexachord/protocol/cids'
import { encodeOriginalList, type OriginalList, originalFilename } from '@hexachord/protocol/manifests'
import { currentUpload, type Work } from './work.ts'

/** Bytes between two notes of progress. */
const noteEveryBytes = 8 * maximumBlockBytes
const anyFile = 'application/octet-stream'

/** Stores the file itself as blocks of the track, where the artist wants that. */
export async function storeOriginal(work: Work, signal: AbortSignal): Promise<void> {
  const { id, uploads, input, recorder, ipfs } = work
  const upload = currentUpload(work)
  if (!upload.keepOriginal || upload.original !== undefined) return
  const hash = createHash('sha256')
  const blocks: OriginalList['blocks'] = []
  let doneBytes = 0
  let notedBytes = 0
  const file = await open(input)
  try {
    const buffer = new Uint8Array(maximumBlockBytes)
    for (;;) {
      signal.throwIfAborted()
      const length = await fill(buffer, (rest) => file.read(rest))
      if (length === 0) break
      const bytes = buffer.slice(0, length)
      hash.update(bytes)
      blocks.push([length, linkTo(await recorder.store(bytes, 'raw'))])
      doneBytes += length
      if (doneBytes - notedBytes >= noteEveryBytes) {
        notedBytes = doneBytes
        uploads.note(id, () => ({ originalDoneBytes: doneBytes }))
      }
    }
  } finally {
    await file.close()
  }
  const list = await recorder.store(encodeOriginalList({ v: 1, kind: 'original', blocks }), 'dag-json')
  await ipfs.pin(list, { signal })
  recorder.flush()
  uploads.change(id, ({ filename, filetype }) => ({
    originalDoneBytes: doneBytes,
    original: {
      filename: originalFilename(filename),
      type:
        filetype !== undefined && /^audio\/[a-z0-9][a-z0-9.+-]{0,80}$/.test(filetype) ? filetype : anyFile,
      byteLength: doneBytes,
      sha256: `0x${hash.digest('hex')}`,
      list: linkTo(list),
    },
  }))
}

/** Reads until the buffer is full or the file ends. @returns bytes read */
async function fill(
  buffer: Uint8Array,
  read: (rest: Uint8Array) => Promise<{ bytesRead: number }>,
): Promise<number> {
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await read(buffer.subarray(length))
    if (bytesRead === 0) break
    length += bytesRead
  }
  return length
}
