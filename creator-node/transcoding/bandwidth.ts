type Measured = { readonly ticks: number; readonly byteLength: number }

/**
 * Bits per second of a rendition: the mean, and the highest over any run of segments that together last 0.5 to 1.5
 * target durations (RFC 8216 4.1), so that a last segment of one frame does not count as a peak.
 */
export function bandwidthOf(
  segments: readonly Measured[],
  options: { timescale: number; targetSeconds: number },
): { average: number; peak: number } {
  const { timescale, targetSeconds } = options
  const average = rate(segments, timescale)
  let peak = average
  for (let first = 0; first < segments.length; first++) {
    let ticks = 0
    let bytes = 0
    for (let last = first; last < segments.length; last++) {
      ticks += segments[last]?.ticks ?? 0
      bytes += segments[last]?.byteLength ?? 0
      const seconds = ticks / timescale
      if (seconds > 1.5 * targetSeconds) break
      if (seconds >= 0.5 * targetSeconds) peak = Math.max(peak, Math.ceil((bytes * 8) / seconds))
    }
  }
  return { average, peak }
}

function rate(segments: readonly Measured[], timescale: number): number {
  const ticks = segments.reduce((sum, segment) => sum + segment.ticks, 0)
  const bytes = segments.reduce((sum, segment) => sum + segment.byteLength, 0)
  return Math.ceil((bytes * 8 * timescale) / ticks)
}
