import {
  type Action,
  applyAction,
  checkRulesTable,
  decodeActed,
  keysRead,
  keysReadBefore,
  type Place,
  type ReadAction,
  type RulesTable,
  readAction,
  rulesVersionAt,
  type Verdict,
} from '../actions/index.ts'
import { type Json, toCanonicalJson } from '../canonical/index.ts'
import { type Engine, javaScriptEngine } from '../engine/index.ts'
import type { Address, Hash } from '../names/index.ts'
import {
  type ChainLog,
  decodeOperatorLog,
  type OperatorEvent,
  type OperatorSet,
  operatorsAt,
} from '../operators/index.ts'
import type { PlacementRules } from '../placement/index.ts'
import { type Domain, domainOf, type Recover } from '../signing/index.ts'
// Not through the door: browsers, which judge nothing, need none of it.
import { recoverExpecting as recoverByKnownKeys } from '../signing/known-keys.ts'
import { type Effect, logDigest, nextStateHash } from '../state-hash/index.ts'

/** What an indexer of one network must know beforehand; all of it stands in the network's file. */
export type CatalogueRules = {
  readonly domain: Domain
  /** Which version of the rules is in force from which block on. */
  readonly versions: RulesTable
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
  readonly changes: ReadonlyMap<string, KeyChange>
}

export type KeyChange = {
  readonly before: Json
  readonly after: Json
  /** Canonical JSON of what it is after. */
  readonly afterText: string
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
  /** Whether it ends with the last of `blocks`, since so much was changed that the rest is a range of its own. */
  readonly isCut: boolean
}

/** @throws RulesTableError when the network follows rules that are not known here */
export function rulesOf(network: {
  chainId: number
  finalityBlocks: number
  epochBlocks: number
  bytesPerToken: string
  minimumStakeWei: string
  rulesVersions?: RulesTable | undefined
  contracts: { catalog: string; operatorRegistry: string; stakeVault: string }
}): CatalogueRules {
  const { contracts, rulesVersions: versions = [] } = network
  checkRulesTable(versions)
  return {
    domain: domainOf(network),
    versions,
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
 * @param read current values of keys; absent ones may be left out
 * @param pause awaited after each log that is read and each block that is judged, so that a process which does other
 * things besides can do them. What it throws ends the work
 * @param engine hashes
 * @param recoverExpecting finds who signed a receipt; it should be the one that is expected
 * @param mostKeptChars the range is cut after the block with which its changes, block by block, take more canonical JSON
 * than this. @default never */
export async function applyRange({
  rules,
  logs,
  timestampOf,
  operatorEvents,
  stateHash,
  read,
  pause = noPause,
  engine = javaScriptEngine,
  recoverExpecting = recoverByKnownKeys,
  mostKeptChars = Number.POSITIVE_INFINITY,
}: {
  rules: CatalogueRules
  logs: readonly ChainLog[]
  timestampOf: (block: number) => number
  operatorEvents: readonly OperatorEvent[]
  stateHash: Hash
  read: (keys: string[]) => Promise<ReadonlyMap<string, Json>>
  pause?: () => Promise<void> | undefined
  engine?: Engine
  recoverExpecting?: (expected: Address) => Recover
  mostKeptChars?: number
}): Promise<RangeResult> {
  const decoded: DecodedLog[] = []
  for (const log of logs) {
    decoded.push(decode(log, rules, engine))
    const due = pause()
    if (due !== undefined) await due
  }
  const values = await load(decoded, read, pause)
  const events = [...operatorEvents]
  const view = {
    get: (key: string) => values.get(key),
    operatorsAt: cachedOperators(events, rules.minimumStakeWei),
    rulesVersionAt: (block: number) => rulesVersionAt(rules.versions, block),
    domain: rules.domain,
    placement: rules.placement,
    recoverExpecting,
    engine,
  }
  const blocks: IndexedBlock[] = []
  const actions: IndexedAction[] = []
  const state = new Map<string, Json>()
  let hash = stateHash
  let keptChars = 0
  let isCut = false
  for (const group of byBlock(decoded)) {
    isCut = keptChars > mostKeptChars
    if (isCut) break
    const { blockNumber: number, blockHash } = group[0].log
    const changes = new Map<string, KeyChange>()
    const effects = group.map(({ log, reading, event }): Effect => {
      if (event) events.push(event)
      if (!reading) return { logIndex: log.logIndex, digest: logDigest(log), verdict: 'applied', changes: [] }
      const place = { block: number, timestamp: timestampOf(number), logIndex: log.logIndex }
      const { action } = reading
      const verdict = applyAction(view, reading, place)
      actions.push({ action, place, verdict })
      const made = verdict.verdict === 'applied' ? verdict.changes : []
      let changesText = ''
      for (const { key, value } of made) {
        const earlier = changes.get(key)
        const before = earlier ? earlier.before : (values.get(key) ?? null)
        // It is hashed here and stored later: once is enough to write it.
        const afterText = toCanonicalJson(value)
        changes.set(key, { before, after: value, afterText })
        keptChars += afterText.length - (earlier?.afterText.length ?? 0)
        values.set(key, value)
        state.set(key, value)
        changesText += `${changesText === '' ? '' : ','}{"key":${toCanonicalJson(key)},"value":${afterText}}`
      }
      const { logIndex } = log
      // To spread an object takes several times as long.
      return {
        logIndex,
        digest: action.hash,
        verdict: verdict.verdict,
        changes: made,
        // The text itself, of long lists many times over, need not stay until the block is judged.
        changesDigest: engine.sha256(`[${changesText}]`),
      }
    })
    const rulesVersion = rulesVersionAt(rules.versions, number)
    hash = nextStateHash(hash, { rulesVersion, number, hash: blockHash as Hash }, effects, engine)
    blocks.push({ number, hash: blockHash as Hash, stateHash: hash, changes })
    await pause()
  }
  const newEvents = events.slice(operatorEvents.length)
  return { blocks, actions, operatorEvents: newEvents, state, stateHash: hash, isCut }
}

/** Values of all keys that the actions read or change. Twice, since a subject's state names further keys;
 * what a state within the range may name has been named by the action that makes it. */
async function load(
  logs: readonly DecodedLog[],
  read: (keys: string[]) => Promise<ReadonlyMap<string, Json>>,
  pause: () => Promise<void> | undefined,
): Promise<Map<string, Json>> {
  const asked = new Set<string>()
  for (const { reading } of logs) {
    if (reading) for (const key of keysRead(reading)) asked.add(key)
    const due = pause()
    if (due !== undefined) await due
  }
  const values = new Map(asked.size > 0 ? await read([...asked]) : [])
  const missing = new Set<string>()
  for (const { reading } of logs) {
    if (!reading) continue
    for (const key of keysReadBefore(reading, (key) => values.get(key))) if (!asked.has(key)) missing.add(key)
  }
  if (missing.size > 0) for (const [key, value] of await read([...missing])) values.set(key, value)
  return values
}

function noPause(): undefined {}

type DecodedLog = { log: ChainLog; reading?: ReadAction | undefined; event?: OperatorEvent | undefined }

function decode(log: ChainLog, rules: CatalogueRules, engine: Engine): DecodedLog {
  // To bring a text into lower case takes a copy of it, and nearly all are.
  const isOf = (contract: Address) => log.address === contract || log.address.toLowerCase() === contract
  if (isOf(rules.catalog)) {
    const action = decodeActed(log, engine)
    return { log, reading: action && readAction(action) }
  }
  if (rules.operatorContracts.some(isOf)) return { log, event: decodeOperatorLog(log) }
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
