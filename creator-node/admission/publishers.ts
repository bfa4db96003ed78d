import { Problem } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import type { Invites } from './invites.ts'

/** Whose music this node takes: everybody's, that of invited accounts, or that of some accounts. */
export type Publishers = 'open' | 'invite' | ReadonlySet<Address>

export type PublisherPolicy = 'open' | 'invite' | 'allowlist'

/** Decides who publishes through this node. */
export type PublisherGate = {
  readonly policy: PublisherPolicy
  /** Whether any of these accounts may publish here. */
  mayPublish(...accounts: readonly Address[]): boolean
  /** @param members what the answer tells beside, such as the way to do without this node */
  refusal(account: Address, members?: Readonly<Record<string, unknown>>): Problem
}

export function createPublisherGate(
  publishers: Publishers,
  invites: Pick<Invites, 'isInvited'>,
): PublisherGate {
  const policy = typeof publishers === 'string' ? publishers : 'allowlist'
  return {
    policy,
    mayPublish(...accounts) {
      if (publishers === 'open') return true
      if (publishers === 'invite') return accounts.some(invites.isInvited)
      return accounts.some((account) => publishers.has(account))
    },
    refusal: (account, members = {}) =>
      policy === 'invite'
        ? new Problem({
            status: 403,
            slug: 'invite-needed',
            detail: `${account} may publish through this node once it has sent an invite of its operator to POST /publishers; without one, use another creator node`,
            members: { ...members, publishers: policy },
          })
        : new Problem({
            status: 403,
            slug: 'not-a-publisher',
            detail: `${account} may not publish through this node; its operator decides who may: use another creator node`,
            members: { ...members, publishers: policy },
          }),
  }
}
