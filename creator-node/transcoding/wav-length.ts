import { type FileHandle, open } from 'node:fs/promises'

/** What a program writes that did not know the length yet, or could not go back to fill it in. */
const unknownLengths = [0, 0x7fff_ffff, 0xffff_ffff]
/** Chunks before the sound; a file with more of them is left to the decoder. */
const maximumChunks = 100

/** How many bytes of sound a WAV file announces that are not in it; 0 for every other file. */
export async function missingWavBytes(path: string): Promise<number> {
  const file = await open(path)
  try {
    const head = await read(file, 0, 12)
    if (head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8, 12) !== 'WAVE') return 0
    const { size } = await file.stat()
    let at = 12
    for (let chunk = 0; chunk < maximumChunks; chunk++) {
      const header = await read(file, at, 8)
      if (header.length < 8) return 0
      const length = header.readUInt32LE(4)
      if (header.toString('latin1', 0, 4) === 'data') {
        return unknownLengths.includes(length) ? 0 : Math.max(0, at + 8 + length - size)
      }
      // Chunks begin at even places.
      at += 8 + length + (length % 2)
    }
    return 0
  } finally {
    await file.close()
  }
}

async function read(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
  return buffer.subarray(0, bytesRead)
}
