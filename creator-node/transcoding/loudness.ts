/** EBU R128, in thousandths of LUFS, LU and dBTP, as a manifest has it. */
export type Loudness = {
  readonly integratedMilliLufs: number
  readonly rangeMilliLu: number
  readonly truePeakMilliDbtp: number
}

/**
 * Reads the summary that ffmpeg's filter `ebur128=peak=true` logs at its end.
 * @returns undefined when there is none, or for silence, whose peak is minus infinity
 */
export function parseLoudness(log: string): Loudness | undefined {
  const summary = log.slice(log.lastIndexOf('Summary:'))
  const integratedMilliLufs = thousandths(/\bI:\s+(-?[\d.]+) LUFS/.exec(summary))
  const rangeMilliLu = thousandths(/\bLRA:\s+(-?[\d.]+) LU\b/.exec(summary))
  const truePeakMilliDbtp = thousandths(/\bPeak:\s+(-?[\d.]+) dBFS/.exec(summary))
  if (integratedMilliLufs === undefined || rangeMilliLu === undefined || truePeakMilliDbtp === undefined) {
    return undefined
  }
  return { integratedMilliLufs, rangeMilliLu: Math.max(0, rangeMilliLu), truePeakMilliDbtp }
}

function thousandths(match: RegExpExecArray | null): number | undefined {
  const value = Math.round(Number(match?.[1]) * 1000)
  return Number.isSafeInteger(value) ? value : undefined
}
