import type { Subject } from '../names/index.ts'
import type { Operator, OperatorSet } from '../operators/index.ts'
import { fullCopies } from '../receipts/index.ts'
import { rankOperators, weightOf } from './rank-operators.ts'

/** Ranks from which a receipt is accepted: three duties and three to walk down to when some refuse. */
export const acceptedRanks = 6

/** Per network; see `contracts/networks`. */
export type PlacementRules = {
  readonly finalityBlocks: number
  readonly epochBlocks: number
  readonly bytesPerToken: bigint
}

/** The epoch whose operators count at a block, and the block (long final) at whose end they are taken. */
export function epochOf(
  block: number,
  { finalityBlocks, epochBlocks }: Pick<PlacementRules, 'finalityBlocks' | 'epochBlocks'>,
): { epoch: number; block: number } {
  const epoch = Math.floor(Math.max(0, block - finalityBlocks) / epochBlocks)
  return { epoch, block: epoch * epochBlocks }
}

/** Copies that every track can have: three, or as many as there are controllers with weight. */
export function copiesPossible(operators: OperatorSet, bytesPerToken: bigint): number {
  const controllers = new Set<string>()
  for (const operator of operators.values()) {
    if (weightOf(operator, bytesPerToken) > 0n) controllers.add(operator.controller)
  }
  return Math.min(fullCopies, controllers.size)
}

/** Operators whose receipts count for a track in an action of a block: the first six ranks of the current
 * and of the previous epoch. `needed` is how many of the full copies the current epoch can give.
 * @param operatorsAtBlock the set after a block */
export function acceptedOperators(
  subject: Subject,
  block: number,
  rules: PlacementRules,
  operatorsAtBlock: (block: number) => OperatorSet,
): { operators: readonly Operator[]; copies: number } {
  const current = epochOf(block, rules)
  const operators = operatorsAtBlock(current.block)
  const ranked = rankOperators(subject, operators, rules.bytesPerToken)
  const before = current.epoch === 0 ? operators : operatorsAtBlock(current.block - rules.epochBlocks)
  // Where nothing has changed since, the previous epoch has the same ranks.
  const previous = before === operators ? [] : rankOperators(subject, before, rules.bytesPerToken)
  const accepted = [...ranked.slice(0, acceptedRanks)]
  for (const operator of previous.slice(0, acceptedRanks)) {
    if (!accepted.some((other) => other.operator === operator.operator)) accepted.push(operator)
  }
  return { operators: accepted, copies: Math.min(fullCopies, ranked.length) }
}
