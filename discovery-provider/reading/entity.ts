import { Problem } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { SubjectState } from '@hexachord/protocol/actions'
import { type Address, type Hash, parseAddress, type Subject, subjectSchema } from '@hexachord/protocol/names'
import * as z from 'zod'
import type { EntityRow } from '../projections/projection.ts'
import { denialOf } from '../takedowns/taken-down.ts'

/** What answers are read with: a pool, or a connection inside a transaction. */
export type Database = Pick<Postgres, 'query'>

/** Where an entity's last accepted action stands. */
export function lastOf(row: Pick<EntityRow, 'block' | 'log_index' | 'digest'>) {
  return { block: row.block, logIndex: row.log_index, digest: row.digest as Hash }
}

/** The author in the examples of the API's documentation; its numbers are those of the entities there. */
export const exampleAuthor = `0x${'a1'.repeat(20)}` as const

/** The operator in those examples. */
export const exampleOperator = `0x${'01'.repeat(20)}` as const

const entityParams = (number: number) =>
  z.strictObject({ id: subjectSchema.meta({ examples: [`${exampleAuthor}-${number}`] }) })

/** What a route about one track is asked by. */
export const subjectParams = entityParams(11)
export const playlistParams = entityParams(12)
export const commentParams = entityParams(13)
export const appParams = entityParams(14)

/** Text to look for. No name in the catalogue holds NUL, and the database takes none. */
export function searchText(maximum: number) {
  return z
    .string()
    .max(maximum)
    .refine((text) => !text.includes('\0'), 'must not hold NUL characters')
    .refine((text) => /[\p{L}\p{N}]/u.test(text), 'must hold a letter or a digit')
}

/** An address in any spelling whose EIP-55 check sum, where it has one, is right.
 * @param example for the documentation */
export function addressLike(example: Address) {
  return z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/, 'must be 0x and 40 hex digits')
    .meta({ examples: [example] })
    .transform((text, context) => {
      try {
        return parseAddress(text)
      } catch {
        context.addIssue({ code: 'custom', message: 'has a wrong EIP-55 check sum: is a digit mistyped?' })
        return z.NEVER
      }
    })
}

export const addressText = addressLike(exampleAuthor)

/** Why there is no such entity: 410 when it was deleted, or is a track that is taken down here, else 404 with what the name
 * stands for. */
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
  const denial = kind === 'track' && state?.kind === kind ? await denialOf(database, id) : undefined
  if (denial !== undefined) return denial
  const detail =
    state === undefined || state.kind === kind
      ? `there is no ${kind} ${id} in the catalogue`
      : `${id} is a ${state.kind}, not a ${kind}`
  return new Problem({ status: 404, slug: `no-such-${kind}`, detail })
}
