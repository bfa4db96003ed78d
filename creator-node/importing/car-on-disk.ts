import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { CarError, type CarFile } from '@hexachord/protocol/cars'

/** A CAR in a file, for as long as `use` runs. */
export async function withCarOnDisk<Result>(
  path: string,
  use: (file: CarFile) => Promise<Result>,
): Promise<Result> {
  const handle = await open(path)
  try {
    return await use({
      stream: () => createReadStream(path, { highWaterMark: 1 << 20 }),
      async read(offset, length) {
        const bytes = new Uint8Array(length)
        for (let filled = 0; filled < length; ) {
          const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled)
          if (bytesRead === 0) throw new CarError('the file has become shorter while it was read')
          filled += bytesRead
        }
        return bytes
      },
    })
  } finally {
    await handle.close()
  }
}
