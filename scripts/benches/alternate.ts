/** One round: what we measured of ours, and right after it of what stands beside it. */
export type Pair<Sample> = { readonly ours: Sample; readonly theirs: Sample }

/**
 * Measures A B A B, so that whatever else the machine does falls on both alike. One pair before the first is not
 * counted: it fills caches and compiles code.
 * @throws what a measurement throws, and the signal's reason
 */
export async function alternate<Sample>(options: {
  rounds: number
  signal: AbortSignal
  ours: () => Promise<Sample>
  theirs: () => Promise<Sample>
  /** Whether the first pair counts, such as when there is to be only one. @default false */
  countFirst?: boolean
  /** Told of each pair that counts. */
  onPair?: (pair: Pair<Sample>, round: number) => void
}): Promise<Pair<Sample>[]> {
  const { rounds, signal, ours, theirs, countFirst = false } = options
  const pairs: Pair<Sample>[] = []
  for (let round = countFirst ? 1 : 0; round <= rounds; round++) {
    signal.throwIfAborted()
    const first = await ours()
    signal.throwIfAborted()
    const pair = { ours: first, theirs: await theirs() }
    if (round === 0) continue
    pairs.push(pair)
    options.onPair?.(pair, round)
  }
  return pairs
}

/** Ours over theirs, pair by pair: the median, and from where to where they went. */
export function ratiosOf<Sample>(
  pairs: readonly Pair<Sample>[],
  of: (sample: Sample) => number,
): { median: number; least: number; most: number } {
  const ratios = pairs.map(({ ours, theirs }) => of(ours) / of(theirs))
  return {
    median: rounded(median(ratios)),
    least: rounded(Math.min(...ratios)),
    most: rounded(Math.max(...ratios)),
  }
}

/** The middle one, or the mean of the two in the middle. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]]
  return (low + high) / 2
}

/** To three places: more is noise. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
