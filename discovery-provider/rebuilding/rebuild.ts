import type { Postgres } from '@hexachord/platform/postgres'
import { type RulesTable, rulesVersion } from '@hexachord/protocol/actions'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import { type OperatorEvent, operatorsAt } from '@hexachord/protocol/operators'
import { type Checkpoint, type IndexedNetwork, moveCheckpoint } from '../indexing/checkpoint.ts'
import { noteAllManifests } from '../manifests/note-manifests.ts'
import { noteAllChanged } from '../projections/note-changes.ts'
import { projectOperators } from '../projections/operators.ts'
import { tableVersions } from '../projections/project.ts'
import { noteAllWords } from '../projections/search-words.ts'
import { noteAllRankable } from '../ranking/index.ts'
import { openBuilding, type Rebuild } from './building.ts'
import { derivedTables, remakeState } from './remake-state.ts'
import { remakeTables } from './remake-tables.ts'
import { buildingSchema } from './side-tables.ts'
import { writeTableVersions } from './table-versions.ts'

/** What the shelf of players is made of, which is put in order when somebody asks for it. */
const shownOnShelf = ['track', 'playlist', 'profile']
/** What scores are made of. */
const ranked = ['track', 'save', 'repost']

/**
 * Makes tables anew beside those that are read, from what is stored and without the chain, and puts them in their place
 * in one transaction: all that follows from the logs when the rules are others, else only the stale tables. The
 * index must not be written to meanwhile. One that was interrupted leaves the live tables as they were, and the next
 * begins anew.
 * @throws IndexMoved when another process writes; the signal's reason
 */
export async function rebuild({
  postgres,
  network,
  rules,
  from,
  staleTables,
  now,
  onProgress,
  signal,
}: {
  postgres: Postgres
  network: IndexedNetwork
  rules: CatalogueRules
  from: { readonly checkpoint: Checkpoint; readonly operatorEvents: readonly OperatorEvent[] }
  staleTables: readonly string[]
  /** ms */
  now: () => number
  onProgress: (rebuild: Rebuild) => void
  signal: AbortSignal
}): Promise<{ checkpoint: Checkpoint; operatorEvents: readonly OperatorEvent[] }> {
  const { checkpoint } = from
  const otherRules = isOfOtherRules(checkpoint, rules)
  const tables = otherRules ? [...derivedTables, ...tableVersions.keys()] : [...staleTables]
  const building = await openBuilding({ postgres, tables, now, onProgress, signal })
  const next = otherRules
    ? await remakeState(building, { postgres, network, rules, checkpoint, signal })
    : from
  if (tables.includes('operator')) {
    const operators = operatorsAt(next.operatorEvents, Number.POSITIVE_INFINITY, rules.minimumStakeWei)
    await building.batch((client) => projectOperators(client, operators))
  }
  await remakeTables(building)
  const isRemade = (made: readonly string[]) => made.some((table) => tables.includes(table))
  if (isRemade(shownOnShelf)) await building.whole(noteAllWords)
  await building.swap(async (client) => {
    await moveCheckpoint(client, checkpoint, next.checkpoint)
    await writeTableVersions(client)
    const tracks = tables.includes('track') ? `${buildingSchema}.track` : 'track'
    if (isRemade(shownOnShelf)) await noteAllChanged(client, tracks)
    if (tables.includes('track')) await noteAllManifests(client, tracks)
    if (isRemade(ranked)) await noteAllRankable(client, tracks)
  })
  return next
}

/** Whether an index was made by other rules, or with other blocks from which they are in force. */
export function isOfOtherRules(checkpoint: Checkpoint, rules: CatalogueRules): boolean {
  const text = (table: RulesTable) => table.map(({ fromBlock, version }) => `${fromBlock}:${version}`).join()
  return checkpoint.rulesVersion !== rulesVersion || text(checkpoint.versions) !== text(rules.versions)
}
