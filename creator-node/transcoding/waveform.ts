/** Peaks of a recording in the JSON form of audiowaveform, version 2, which players' libraries read. */
export type Waveform = {
  readonly version: 2
  readonly channels: 1
  readonly sample_rate: number
  readonly samples_per_pixel: number
  readonly bits: 8
  readonly length: number
  /** Lowest and highest sample of each pixel, in turn. */
  readonly data: readonly number[]
}

/** Pixels of a waveform at most: one for each point of the widest player that we draw. */
export const waveformPixels = 800

/** While samples come in nobody knows how many there will be: peaks are kept this much finer, then joined. */
const finestPeaks = waveformPixels * 64

/** Gathers peaks in bounded memory, however long the recording. */
export type PeakMeter = {
  /** Signed 16-bit little-endian samples of one channel; a sample may be split between two calls. */
  add(bytes: Uint8Array): void
  /** Samples so far. */
  samples(): number
  waveform(): Waveform
}

export function createPeakMeter(sampleRateHz: number): PeakMeter {
  let lows: number[] = []
  let highs: number[] = []
  /** Samples behind one peak; doubles when there are too many peaks. */
  let span = 1
  let count = 0
  let low = 0
  let high = 0
  let inSpan = 0
  let oddByte: number | undefined

  function addSample(sample: number): void {
    low = inSpan === 0 || sample < low ? sample : low
    high = inSpan === 0 || sample > high ? sample : high
    inSpan += 1
    count += 1
    if (inSpan === span) close()
  }

  function close(): void {
    lows.push(low)
    highs.push(high)
    inSpan = 0
    if (lows.length < finestPeaks) return
    lows = joined(lows, 2, Math.min)
    highs = joined(highs, 2, Math.max)
    span *= 2
  }

  return {
    add(bytes) {
      let place = 0
      if (oddByte !== undefined && bytes.length > 0) {
        addSample(sampleOf(oddByte, bytes[0] ?? 0))
        oddByte = undefined
        place = 1
      }
      for (; place + 1 < bytes.length; place += 2)
        addSample(sampleOf(bytes[place] ?? 0, bytes[place + 1] ?? 0))
      if (place < bytes.length) oddByte = bytes[place]
    },
    samples: () => count,
    waveform() {
      const rest = inSpan > 0
      const all = { lows: rest ? [...lows, low] : lows, highs: rest ? [...highs, high] : highs }
      const width = Math.max(1, Math.ceil(all.lows.length / waveformPixels))
      const pixelLows = joined(all.lows, width, Math.min)
      const pixelHighs = joined(all.highs, width, Math.max)
      return {
        version: 2,
        channels: 1,
        sample_rate: sampleRateHz,
        samples_per_pixel: width * span,
        bits: 8,
        length: pixelLows.length,
        data: pixelLows.flatMap((value, pixel) => [value >> 8, (pixelHighs[pixel] ?? value) >> 8]),
      }
    },
  }
}

function sampleOf(lowByte: number, highByte: number): number {
  return ((highByte << 24) >> 16) | lowByte
}

/** Each `width` neighbours as one; the last may have fewer. */
function joined(values: readonly number[], width: number, join: (a: number, b: number) => number): number[] {
  const result: number[] = []
  for (let start = 0; start < values.length; start += width) {
    let value = values[start] ?? 0
    for (let i = start + 1; i < start + width && i < values.length; i++)
      value = join(value, values[i] ?? value)
    result.push(value)
  }
  return result
}
