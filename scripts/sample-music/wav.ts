import type { Channel } from './instruments.ts'

const headerBytes = 44
const bytesPerFrame = 4

/** A WAV file (RIFF, PCM, 16 bit, stereo) of samples from -1 to 1. */
export function encodeWav({ left, right }: Channel, sampleRate: number): Uint8Array {
  const dataBytes = left.length * bytesPerFrame
  const file = Buffer.alloc(headerBytes + dataBytes)
  file.write('RIFF', 0, 'latin1')
  file.writeUInt32LE(headerBytes - 8 + dataBytes, 4)
  file.write('WAVEfmt ', 8, 'latin1')
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(1, 20)
  file.writeUInt16LE(2, 22)
  file.writeUInt32LE(sampleRate, 24)
  file.writeUInt32LE(sampleRate * bytesPerFrame, 28)
  file.writeUInt16LE(bytesPerFrame, 32)
  file.writeUInt16LE(16, 34)
  file.write('data', 36, 'latin1')
  file.writeUInt32LE(dataBytes, 40)
  for (let index = 0; index < left.length; index++) {
    file.writeInt16LE(toInteger(left[index] ?? 0), headerBytes + index * bytesPerFrame)
    file.writeInt16LE(toInteger(right[index] ?? 0), headerBytes + index * bytesPerFrame + 2)
  }
  return file
}

function toInteger(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_767)))
}
