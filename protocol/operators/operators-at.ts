import type { Address } from '../names/index.ts'
import type { OperatorEvent } from './events.ts'

export type Operator = {
  readonly operator: Address
  /** Who stakes for it; operators with one controller count as one. */
  readonly controller: Address
  /** Origin of its gateway. */
  readonly endpoint: string
  /** Multihash of its libp2p key. */
  readonly peerId: `0x${string}`
  readonly hotKey: Address
  readonly capacityBytes: bigint
  readonly exiting: boolean
  /** Bonded by its controller, in wei of the stake token. */
  readonly stakeWei: bigint
  readonly active: boolean
}

export type OperatorSet = ReadonlyMap<Address, Operator>

type Draft = Omit<Operator, 'stakeWei' | 'active'>

/** The operators after a block, from the events of the chain in order (block, log index).
 * @param block events of later blocks are left out
 * @param minimumStakeWei below this an operator is not active */
export function operatorsAt(
  events: Iterable<OperatorEvent>,
  block: number,
  minimumStakeWei: bigint,
): OperatorSet {
  const drafts = new Map<Address, Draft>()
  const stakes = new Map<string, bigint>()
  for (const event of events) {
    if (event.block > block) break
    const known = drafts.get(event.operator)
    switch (event.type) {
      case 'registered': {
        const { operator, controller, endpoint, peerId, hotKey, capacityBytes } = event
        drafts.set(operator, {
          operator,
          controller,
          endpoint,
          peerId,
          hotKey,
          capacityBytes,
          exiting: false,
        })
        break
      }
      case 'updated': {
        const { endpoint, peerId, hotKey, capacityBytes } = event
        if (known) drafts.set(event.operator, { ...known, endpoint, peerId, hotKey, capacityBytes })
        break
      }
      case 'exitRequested':
      case 'exitCancelled':
        if (known) drafts.set(event.operator, { ...known, exiting: event.type === 'exitRequested' })
        break
      case 'bonded':
        // Anyone may stake for anyone; only the controller's stake counts, whenever it came.
        stakes.set(`${event.operator} ${event.staker}`, event.totalWei)
        break
    }
  }
  return new Map(
    [...drafts.values()].map((draft) => {
      const stakeWei = stakes.get(`${draft.operator} ${draft.controller}`) ?? 0n
      const active = !draft.exiting && stakeWei >= minimumStakeWei && stakeWei > 0n
      return [draft.operator, { ...draft, stakeWei, active }]
    }),
  )
}
