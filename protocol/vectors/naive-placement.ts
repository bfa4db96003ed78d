import { fromHex, sha256, uint } from './by-hand.ts'

// Who may hold a track, once more in the plainest way: with numbers that machines round, where the rules reckon on integers.
// A track on which the two disagree would be one in a billion.

export type NaiveOperator = {
  operator: string
  controller: string
  hotKey: string
  capacityBytes: bigint
  exiting: boolean
  /** In wei, by who gave it. */
  stakes: Map<string, bigint>
}

/** Operators with weight, as the weighted rendezvous of a track's name orders them; each controller once. */
export function rankNaively(
  subject: string,
  operators: Iterable<NaiveOperator>,
  { minimumStakeWei, bytesPerToken }: { minimumStakeWei: string; bytesPerToken: string },
): NaiveOperator[] {
  const [author = '', number = ''] = subject.split('-')
  const name = [fromHex(author), uint(BigInt(number), 12)]
  const scored = [...operators].flatMap((one) => {
    const stakeWei = one.stakes.get(one.controller) ?? 0n
    const covered = Number((stakeWei * BigInt(bytesPerToken)) / 10n ** 18n)
    const weight = Math.min(covered, Number(one.capacityBytes))
    if (one.exiting || stakeWei < BigInt(minimumStakeWei) || weight === 0) return []
    const drawn = Number(sha256(fromHex(one.operator), ...name).readBigUInt64BE()) / 2 ** 64
    return [{ one, score: -weight / Math.log(drawn) }]
  })
  const ranked = scored.sort((a, b) => b.score - a.score).map(({ one }) => one)
  return ranked.filter(
    ({ controller }, at) => ranked.findIndex((other) => other.controller === controller) === at,
  )
}
