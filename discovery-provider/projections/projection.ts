import type { CopyType } from '@hexachord/platform/postgres'
import type { SubjectState } from '@hexachord/protocol/actions'
import { isSubject, numberOf, type Subject, userNumber } from '@hexachord/protocol/names'

/** One kind of entity as it is read: a table whose rows follow from one entry of the state each. */
export type Projection<
  Row extends PlacedRow = PlacedRow,
  Name extends string = Subject,
  Value = SubjectState,
> = {
  readonly table: string
  /** One more with every change after which a row would be another one: then the table is made anew. */
  readonly version: number
  /** What the keys of its entries begin with, up to the first slash. */
  readonly space: string
  /** Of tables of subjects: the kind that it shows. What a subject is never changes, so that no others need a look. */
  readonly kind?: SubjectState['kind']
  /** All that rows have but what the table generates by itself. */
  readonly columns: readonly string[]
  /** What each column is in the database: of tables with most of the rows, which are written in less time so.
   * @default written as text */
  readonly columnTypes?: Readonly<Record<string, CopyType>>
  /** Those of them that hold JSON. @default none */
  readonly jsonColumns?: readonly string[]
  /** By what stands behind the slash. Undefined for an entry that can never be in this table. */
  readonly idOf: (name: Name) => string | undefined
  /** Pure. Undefined when this table shows nothing for the entry. */
  readonly rowOf: (name: Name, value: Value) => Row | undefined
  /** Whether rows are left out that a notice denies here; nothing is counted by such a table. @default false */
  readonly deniable?: boolean
  /** What a row adds one to. @default nothing */
  readonly tallies?: readonly TallyRule<Row>[]
}

/** One thing that rows are counted for: said so that the database can count them, too. */
export type TallyRule<Row> = {
  /** The column that names of whom or of what it is; a row without a value there is not counted. */
  readonly of: keyof Row & string
  readonly what: string
  /** The column whose text follows on `what`. @default none */
  readonly whatColumn?: keyof Row & string
  /** The column that is true in rows that are not counted. @default none */
  readonly unless?: keyof Row & string
}

/** One of the things that are counted of a subject or a user, such as `followers`. */
export type Tally = { readonly subject: string; readonly what: string }

/** Where the last accepted action of a row stands on the chain. */
export type PlacedRow = {
  readonly id: string
  readonly block: number
  readonly log_index: number
  /** Hash of that action. */
  readonly digest: string
}

/** What the row of a subject has besides: when. */
export type EntityRow = PlacedRow & {
  readonly created_at_ms: number
  readonly updated_at_ms: number
}

export const placedColumns = ['id', 'block', 'log_index', 'digest'] as const satisfies (keyof PlacedRow)[]

export const entityColumns: readonly (keyof EntityRow)[] = [
  ...placedColumns,
  'created_at_ms',
  'updated_at_ms',
]

export function entityRow(id: string, state: SubjectState): EntityRow {
  return { ...placedRow(id, state), created_at_ms: state.createdAtMs, updated_at_ms: state.updatedAtMs }
}

export function placedRow(
  id: string,
  { block, logIndex, digest }: { block: number; logIndex: number; digest: string },
): PlacedRow {
  return { id, block, log_index: logIndex, digest }
}

/** Of {@link placedColumns}. */
export const placedTypes = {
  id: 'text',
  block: 'bigint',
  log_index: 'bigint',
  digest: 'text',
} as const satisfies Record<(typeof placedColumns)[number], CopyType>

/** Id of what goes by its subject: everything but profiles. */
export function subjectId(subject: Subject): string | undefined {
  return isSubject(subject) && numberOf(subject) !== userNumber ? subject : undefined
}
