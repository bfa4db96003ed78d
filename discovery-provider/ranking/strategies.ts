/** How a track's score in a list is reckoned, as SQL over what is counted of it within that list's time:
 * `voices`, one for each user other than its author who has saved it and two for each who has reposted it, and `plays`.
 *
 * A name is a promise: its formula stays as it is, and another one gets another name.
 */
export const strategies = {
  /** Plays as this provider has counted them only multiply voices, and slowly. Alone, however many, they weigh less
   * than one voice: they can be made for nothing, and put in order only what nobody has spoken for. */
  'heard-1': 'voices * (1 + ln(1 + plays)) + ln(1 + plays) / 50',
  /** What stands on the chain and nothing else, so that all providers rank alike. */
  'chain-1': 'voices',
} as const

export type Strategy = keyof typeof strategies

export const strategyNames = Object.keys(strategies) as [Strategy, ...Strategy[]]

/** What a list looks back on. `underground` is the week of authors with few followers. */
export const rankingLists = ['week', 'month', 'year', 'all', 'underground'] as const

export type RankingList = (typeof rankingLists)[number]

/** An author with as many followers is underground no more. */
export const undergroundFollowers = 1_000
