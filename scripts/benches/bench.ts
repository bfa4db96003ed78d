import type { Program } from '../setup/index.ts'

/** One figure of the README: a ratio of what we do to what stands beside it, measured in one run. */
export type Bench = {
  /** As typed: `scripts/bench NAME`. */
  readonly name: string
  /** One line. */
  readonly summary: string
  /** What the ratio should be. A bench that misses it is no failure: machines differ, and some are busy. */
  readonly limit: Limit
  /** What it needs on the PATH. @default none */
  readonly programs?: readonly Program[]
  run(context: BenchContext): Promise<BenchResult>
}

export type Limit = { readonly atMost: number } | { readonly atLeast: number }

export type BenchContext = {
  /** Pairs that are measured. */
  readonly rounds: number
  /** Tiny inputs: only to see that it runs. */
  readonly small: boolean
  /** For temporary files; it is gone afterwards. */
  readonly folder: string
  readonly signal: AbortSignal
  report(line: string): void
}

/** `ratio` is the headline figure; the other keys say how it came about, with their unit in the name. */
export type BenchResult = { ratio: number; [key: string]: number | string }

export function holds(limit: Limit, ratio: number): boolean {
  return 'atMost' in limit ? ratio <= limit.atMost : ratio >= limit.atLeast
}

export function describeLimit(limit: Limit): string {
  return 'atMost' in limit ? `at most ${limit.atMost}` : `at least ${limit.atLeast}`
}
