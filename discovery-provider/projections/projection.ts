import type { SubjectState } from '@hexachord/protocol/actions'
import { numberOf, type Subject, userNumber } from '@hexachord/protocol/names'

/** One kind of entity as it is read: a table whose rows follow from the state of one subject each. */
export type Projection<Row extends EntityRow = EntityRow> = {
  readonly table: string
  /** All that rows have but what the table generates by itself. */
  readonly columns: readonly string[]
  /** Undefined for a subject that can never be in this table. */
  readonly idOf: (subject: Subject) => string | undefined
  /** Pure. Undefined when this table shows nothing for the subject. */
  readonly rowOf: (subject: Subject, state: SubjectState) => Row | undefined
}

/** What every row has: when, and where its last accepted action stands on the chain. */
export type EntityRow = {
  readonly id: string
  readonly created_at_ms: number
  readonly updated_at_ms: number
  readonly block: number
  readonly log_index: number
  /** Hash of that action. */
  readonly digest: string
}

export const entityColumns: readonly (keyof EntityRow)[] = [
  'id',
  'created_at_ms',
  'updated_at_ms',
  'block',
  'log_index',
  'digest',
]

export function entityRow(id: string, state: SubjectState): EntityRow {
  return {
    id,
    created_at_ms: state.createdAtMs,
    updated_at_ms: state.updatedAtMs,
    block: state.block,
    log_index: state.logIndex,
    digest: state.digest,
  }
}

/** Id of what goes by its subject: everything but profiles. */
export function subjectId(subject: Subject): string | undefined {
  return numberOf(subject) === userNumber ? undefined : subject
}
