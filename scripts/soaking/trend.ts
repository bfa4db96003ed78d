/** One measurement of a quantity. */
export type Point = {
  /** ms since the beginning of the run. */
  readonly atMs: number
  readonly value: number
  /** Which life of its process it belongs to, such as its pid: a process that was started anew begins anew. */
  readonly life: number
}

/** How a quantity moved over the lives of its process. */
export type Trend = {
  readonly points: number
  readonly mean: number
  /** Per ms, of a straight line with an intercept of its own for each life. */
  readonly slope: number
  /** Standard error of the slope. */
  readonly slopeError: number
  /** Of the longest life, without its warm-up. */
  readonly spanMs: number
}

const leastPoints = 6

/**
 * Fits straight lines that share one slope and have an intercept for each life (least squares with fixed effects), so
 * that a restart neither hides a leak nor looks like one.
 * @param warmUpMs the beginning of each life that does not count
 * @returns undefined when there is too little to tell
 */
export function trendOf(points: readonly Point[], warmUpMs: number): Trend | undefined {
  const lives = [...Map.groupBy(points, ({ life }) => life).values()].flatMap((life) => {
    const bornMs = Math.min(...life.map(({ atMs }) => atMs))
    const warm = life.filter(({ atMs }) => atMs - bornMs >= warmUpMs)
    return warm.length >= 2 ? [warm] : []
  })
  const all = lives.flat()
  const degrees = all.length - lives.length - 1
  if (all.length < leastPoints || degrees < 1) return undefined
  let [timeSquares, products, valueSquares] = [0, 0, 0]
  for (const life of lives) {
    const meanMs = meanOf(life.map(({ atMs }) => atMs))
    const mean = meanOf(life.map(({ value }) => value))
    for (const { atMs, value } of life) {
      timeSquares += (atMs - meanMs) ** 2
      products += (atMs - meanMs) * (value - mean)
      valueSquares += (value - mean) ** 2
    }
  }
  if (timeSquares === 0) return undefined
  const slope = products / timeSquares
  const residual = Math.max(0, valueSquares - slope * products)
  return {
    points: all.length,
    mean: meanOf(all.map(({ value }) => value)),
    slope,
    slopeError: Math.sqrt(residual / degrees / timeSquares),
    spanMs: Math.max(...lives.map((life) => spanOf(life.map(({ atMs }) => atMs)))),
  }
}

/** What growth over the measured span still counts as flat: the larger of both. */
export type Tolerance = { readonly share: number; readonly absolute: number }

export type Flatness = {
  readonly trend: Trend | undefined
  /** Over the longest life that was measured. */
  readonly growth: number
  readonly allowed: number
  /** Undefined when there is too little to tell. */
  readonly flat: boolean | undefined
}

/**
 * Whether a quantity stays where it is: it must not grow by more than the tolerance over the span that was measured.
 * What could as well be chance, within two standard errors, is no growth.
 * @param leastSpanMs of a life over which it can be told: whoever is young still grows
 */
export function judgeFlatness(
  points: readonly Point[],
  { share, absolute }: Tolerance,
  warmUpMs: number,
  leastSpanMs = 0,
): Flatness {
  const trend = trendOf(points, warmUpMs)
  if (trend === undefined || trend.spanMs < leastSpanMs)
    return { trend, growth: 0, allowed: absolute, flat: undefined }
  const growth = trend.slope * trend.spanMs
  const allowed = Math.max(share * trend.mean, absolute)
  const surely = (trend.slope - 2 * trend.slopeError) * trend.spanMs
  return { trend, growth, allowed, flat: growth <= allowed || surely <= 0 }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function spanOf(values: readonly number[]): number {
  return Math.max(...values) - Math.min(...values)
}
