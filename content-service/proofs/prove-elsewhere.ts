import type { Operator } from '@hexachord/protocol/operators'
import type { HeldTrack } from '@hexachord/protocol/receipts'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { type ChallengeDependencies, challenge } from './challenge.ts'

export type ProveElsewhereDependencies = ChallengeDependencies & {
  catalogue: Pick<Catalogue, 'ranks'>
}

/**
 * Whether the copy here is one too many: as many operators as there shall be copies, all of them before this one in
 * the ranks, have just proved theirs. Only those before it count, so that of two extra copies one stays until the
 * other is gone: no two nodes let go because of each other.
 * @returns undefined when it is, or why not
 * @throws as `challenge`
 */
export async function proveElsewhere(
  track: HeldTrack,
  dependencies: ProveElsewhereDependencies,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { operators, copies } = dependencies.catalogue.ranks(track.subject)
  if (copies === 0) return 'there is no other operator'
  const before = ahead(operators, dependencies.self)
  const faults: string[] = []
  let proved = 0
  for (let start = 0; proved < copies && start < before.length; ) {
    const asked = before.slice(start, start + copies - proved)
    start += asked.length
    const answers = await Promise.all(
      asked.map((operator) => challenge(operator, track, dependencies, signal)),
    )
    for (const [index, fault] of answers.entries()) {
      if (fault === undefined) proved += 1
      else faults.push(`${asked[index]?.operator}: ${fault}`)
    }
  }
  return proved >= copies ? undefined : `${proved} of ${copies} others proved theirs (${faults.join('; ')})`
}

/** Those who come before an operator; all when it has no rank. At most as many as may ever hold a track. */
function ahead(operators: readonly Operator[], self: string): readonly Operator[] {
  const own = operators.findIndex(({ operator }) => operator === self)
  return operators.slice(0, own === -1 ? askedAtMost : Math.min(own, askedAtMost))
}

const askedAtMost = 12
