import {
  type Action,
  applyAction,
  decodeActed,
  keysRead,
  type Place,
  rulesVersion,
  type Verdict,
} from '../actions/index.ts'
import type { Json } from '../canonical/index.ts'
import type { Address, Hash } from '../names/index.ts'
import {
  type ChainLog,
  decodeOperatorLog,
  type OperatorEvent,
  type OperatorSet,
  operatorsAt,
} from '../operators/index.ts'
import type { PlacementRules } from '../placement/index.ts'
import { type Domain, domainOf } from '../signing/index.ts'
import { type Effect, logDigest, nextStateHash } from '../state-hash/index.ts'

/** What an indexer of one network must know beforehand; all of it stands in the network's file. */
export type CatalogueRules = {
  readonly domain: Domain
  readonly placement: PlacementRules
  readonly minimumStakeWei: bigint
  /** Lower case. */
  readonly catalog: Address
  /** Contracts whose logs make the operator set: OperatorRegistry and StakeVault, lower case. */
  readonly operatorContracts: readonly Address[]
}

export type IndexedAction = {
  readonly action: Action
  readonly place: Place
  readonly verdict: Verdict
}

export type IndexedBlock = {
  readonly number: number
  readonly hash: Hash
  /** After this block. */
  readonly stateHash: Hash
  /** Each key that the block changed, as it was before and is after it: what an undo needs. */
  readonly changes: ReadonlyMap<string, { readonly before: Json; readonly after: Json }>
}

export type RangeResult = {
  /** Only blocks with logs, in order. */
  readonly blocks: readonly IndexedBlock[]
  readonly actions: readonly IndexedAction[]
  /** New ones, in order. */
  readonly operatorEvents: readonly OperatorEvent[]
  /** Final values of all keys that changed; null removes. */
  readonly state: ReadonlyMap<string, Json>
  readonly stateHash: Hash
}

export function rulesOf(network: {
  chainId: number
  finalityBlocks: number
  epochBlocks: number
  bytesPerToken: string
  minimumStakeWei: string
  contracts: { catalog: string; operatorRegistry: string; stakeVault: string }
}): CatalogueRules {
  const { contracts } = network
  return {
    domain: domainOf(network),
    placement: {
      finalityBlocks: network.finalityBlocks,
      epochBlocks: network.epochBlocks,
      bytesPerToken: BigInt(network.bytesPerToken),
    },
    minimumStakeWei: BigInt(network.minimumStakeWei),
    catalog: contracts.catalog.toLowerCase() as Address,
    operatorContracts: [contracts.operatorRegistry, contracts.stakeVault].map(
      (address) => address.toLowerCase() as Address,
    ),
  }
}

/** Applies the logs of a range of blocks to an index. Pure but for `read`: the caller stores what it returns
 * in one transaction, and takes blocks back with `changes`.
 * @param logs of the network's contracts, ordered by block and log index
 * @param timestampOf unix seconds of a block that has logs
 * @param operatorEvents all before the range, in order
 * @param read current values of keys; absent ones may be left out */
export async function applyRange({
  rules,
  logs,
  timestampOf,
  operatorEvents,
  stateHash,
  read,
}: {
  rules: CatalogueRules
  logs: readonly ChainLog[]
  timestampOf: (block: number) => number
  operatorEvents: readonly OperatorEvent[]
  stateHash: Hash
  read: (keys: string[]) => Promise<ReadonlyMap<string, Json>>
}): Promise<RangeResult> {
  const decoded = logs.map((log) => decode(log, rules))
  const values = await load(
    decoded.flatMap(({ action }) => (action ? [action] : [])),
    read,
  )
  const events = [...operatorEvents]
  const view = {
    get: (key: string) => values.get(key),
    operatorsAt: cachedOperators(events, rules.minimumStakeWei),
    domain: rules.domain,
    placement: rules.placement,
  }
  const blocks: IndexedBlock[] = []
  const actions: IndexedAction[] = []
  const state = new Map<string, Json>()
  let hash = stateHash
  for (const group of byBlock(decoded)) {
    const { blockNumber: number, blockHash } = group[0].log
    const changes = new Map<string, { before: Json; after: Json }>()
    const effects = group.map(({ log, action, event }): Effect => {
      if (event) events.push(event)
      if (!action) return { logIndex: log.logIndex, digest: logDigest(log), verdict: 'applied', changes: [] }
      const place = { block: number, timestamp: timestampOf(number), logIndex: log.logIndex }
      const verdict = applyAction(view, action, place)
      actions.push({ action, place, verdict })
      const made = verdict.verdict === 'applied' ? verdict.changes : []
      for (const { key, value } of made) {
        const earlier = changes.get(key)
        const before = earlier ? earlier.before : (values.get(key) ?? null)
        changes.set(key, { before, after: value })
        values.set(key, value)
        state.set(key, value)
      }
      return { logIndex: log.logIndex, digest: action.hash, verdict: verdict.verdict, changes: made }
    })
    hash = nextStateHash(hash, { rulesVersion, number, hash: blockHash as Hash }, effects)
    blocks.push({ number, hash: blockHash as Hash, stateHash: hash, changes })
  }
  return { blocks, actions, operatorEvents: events.slice(operatorEvents.length), state, stateHash: hash }
}

/** Values of all keys that the actions read or change. Twice, since a subject's state names further keys;
 * what a state within the range may name has been named by the action that makes it. */
async function load(
  actions: readonly Action[],
  read: (keys: string[]) => Promise<ReadonlyMap<string, Json>>,
): Promise<Map<string, Json>> {
  const values = new Map<string, Json>()
  const asked = new Set<string>()
  for (let round = 0; round < 2; round++) {
    const keys = new Set(actions.flatMap((action) => keysRead(action, (key) => values.get(key))))
    const missing = [...keys.difference(asked)]
    if (missing.length === 0) break
    for (const [key, value] of await read(missing)) values.set(key, value)
    for (const key of missing) asked.add(key)
  }
  return values
}

type DecodedLog = { log: ChainLog; action?: Action | undefined; event?: OperatorEvent | undefined }

function decode(log: ChainLog, rules: CatalogueRules): DecodedLog {
  const address = log.address.toLowerCase() as Address
  if (address === rules.catalog) return { log, action: decodeActed(log) }
  if (rules.operatorContracts.includes(address)) return { log, event: decodeOperatorLog(log) }
  return { log }
}

function byBlock(logs: readonly DecodedLog[]): [DecodedLog, ...DecodedLog[]][] {
  const groups: [DecodedLog, ...DecodedLog[]][] = []
  for (const entry of logs) {
    const last = groups.at(-1)
    if (last && last[0].log.blockNumber === entry.log.blockNumber) last.push(entry)
    else groups.push([entry])
  }
  return groups
}

/** The set changes only with an event, so one result per number of events is enough. */
function cachedOperators(events: readonly OperatorEvent[], minimumStakeWei: bigint) {
  const cache = new Map<number, OperatorSet>()
  return (block: number): OperatorSet => {
    let count = events.length
    while (count > 0 && (events[count - 1]?.block ?? 0) > block) count--
    const known = cache.get(count)
    if (known) return known
    const set = operatorsAt(events.slice(0, count), block, minimumStakeWei)
    cache.set(count, set)
    return set
  }
}
