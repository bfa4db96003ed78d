import { kindsByVersion } from './kinds.ts'

/** The newest version of the rules that this program knows; they count from 1. */
export const rulesVersion: number = kindsByVersion.length

/** From which block on a network follows which version of the rules, ascending. It is part of the network's file: all
 * indexers of a network must have the same. Up to the first entry version 1 is in force; without any, the newest from
 * the first block on, as on networks that live for a day. */
export type RulesTable = readonly { readonly fromBlock: number; readonly version: number }[]

/** The network follows rules that this program does not know, or its table is out of order. */
export class RulesTableError extends Error {
  override readonly name = 'RulesTableError'
}

/** @throws RulesTableError */
export function checkRulesTable(table: RulesTable): void {
  for (const [index, { fromBlock, version }] of table.entries()) {
    const before = table[index - 1] ?? { fromBlock: -1, version: 0 }
    if (fromBlock <= before.fromBlock || version <= before.version) {
      throw new RulesTableError('the network’s table of rules must rise, in blocks and in versions')
    }
    if (version > rulesVersion) {
      throw new RulesTableError(
        `from block ${fromBlock} on the network follows version ${version} of the rules; this program knows version ${rulesVersion}: install a newer one before that block`,
      )
    }
  }
}

/** Version of the rules in force at a block. */
export function rulesVersionAt(table: RulesTable | undefined, block: number): number {
  if (table === undefined || table.length === 0) return rulesVersion
  return table.findLast(({ fromBlock }) => fromBlock <= block)?.version ?? 1
}
