import { type Statements, together } from '@hexachord/platform/postgres'
import type { RangeResult } from '@hexachord/protocol/catalogue'
import type { StateChange } from '../projections/project.ts'
import { writeActions } from './chain-records.ts'
import { writeOperatorEvents } from './operator-events.ts'
import { writeState } from './state.ts'
import { writeUndo } from './undo.ts'

/** Verdicts and state as they follow from the logs of a range, and what an undo needs.
 * @param changes of the state, those of all blocks of the range */
export async function writeDerived(
  client: Statements,
  result: RangeResult,
  changes: ReadonlyMap<string, StateChange>,
  finalized: number,
): Promise<void> {
  await together([
    writeActions(client, result.actions),
    writeOperatorEvents(client, result.operatorEvents),
    writeUndo(client, result.blocks, finalized),
    writeState(client, changes),
  ])
}
