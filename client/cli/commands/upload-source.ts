import { createHash } from 'node:crypto'
import { createReadStream, openAsBlob } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parsed } from '@hexachord/protocol/checked'
import { hashSchema } from '@hexachord/protocol/names'
import type { UploadSource } from '@hexachord/sdk/uploading'
import { UsageError } from '../settings/index.ts'

/** A file of this machine. It is known again by its name, size and time of change. @throws UsageError */
export async function sourceOf(path: string): Promise<UploadSource> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be read`, { cause })
  })
  if (!info.isFile()) throw new UsageError(`${path} is not a file`)
  if (info.size === 0) throw new UsageError(`${path} is empty`)
  return {
    filename: basename(path),
    content: await openAsBlob(path),
    fingerprint: `${basename(path)} ${info.size} ${Math.round(info.mtimeMs)}`,
    async sha256(signal) {
      const hash = createHash('sha256')
      await pipeline(createReadStream(path), hash, signal ? { signal } : {})
      return parsed(hashSchema, `0x${hash.digest('hex')}`)
    },
  }
}
