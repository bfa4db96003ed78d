import type { Address } from '@hexachord/protocol/names'

/** Whose music this node takes: everybody's, or that of some accounts. */
export type Publishers = 'open' | ReadonlySet<Address>

/** Whether any of these accounts may publish here. */
export function mayPublish(publishers: Publishers, ...accounts: readonly Address[]): boolean {
  return publishers === 'open' || accounts.some((account) => publishers.has(account))
}
