import { Problem } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { SubjectState } from '@hexachord/protocol/actions'
import { type Hash, parseAddress, type Subject, subjectSchema } from '@hexachord/protocol/names'
import * as z from 'zod'
import type { EntityRow } from '../projections/projection.ts'

/** What answers are read with: a pool, or a connection inside a transaction. */
export type Database = Pick<Postgres, 'query'>

/** Where an entity's last accepted action stands. */
export function lastOf(row: Pick<EntityRow, 'block' | 'log_index' | 'digest'>) {
  return { block: row.block, logIndex: row.log_index, digest: row.digest as Hash }
}

export const subjectParams = z.strictObject({ id: subjectSchema })

/** Text to look for. No name in the catalogue holds NUL, and the database takes none. */
export function searchText(maximum: number) {
  return z
    .string()
    .max(maximum)
    .refine((text) => !text.includes('\0'), 'must not hold NUL characters')
    .refine((text) => /[\p{L}\p{N}]/u.test(text), 'must hold a letter or a digit')
}

/** An address in any spelling whose EIP-55 check sum, where it has one, is right. */
export const addressText = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'must be 0x and 40 hex digits')
  .transform((text, context) => {
    try {
      return parseAddress(text)
    } catch {
      context.addIssue({ code: 'custom', message: 'has a wrong EIP-55 check sum: is a digit mistyped?' })
      return z.NEVER
    }
  })

/** Why there is no such entity: 410 when it was deleted, else 404 with what the name stands for. */
export async function absence(database: Database, id: Subject, kind: SubjectState['kind']): Promise<Problem> {
  const { rows } = await database.query<{ value: SubjectState }>('SELECT value FROM state WHERE key = $1', [
    `subject/${id}`,
  ])
  const state = rows[0]?.value
  if (state?.kind === kind && state.deleted) {
    return new Problem({
      status: 410,
      slug: 'deleted',
      detail: `the ${kind} ${id} was deleted by its author in block ${state.block}`,
      members: { last: { block: state.block, logIndex: state.logIndex, digest: state.digest } },
    })
  }
  const detail =
    state === undefined || state.kind === kind
      ? `there is no ${kind} ${id} in the catalogue`
      : `${id} is a ${state.kind}, not a ${kind}`
  return new Problem({ status: 404, slug: `no-such-${kind}`, detail })
}
