import type { UserContent } from '@hexachord/protocol/actions'
import { authorOf, isSubject, numberOf, userNumber } from '@hexachord/protocol/names'
import { type EntityRow, entityColumns, entityRow, type Projection } from './projection.ts'

export type ProfileRow = EntityRow & {
  readonly handle: string | null
  readonly name: string | null
  readonly bio: string | null
  readonly links: readonly string[]
  readonly picture: string | null
  readonly sealing_key: string | null
}

/** Profiles go by their author's address: the number in the subject is always the same. */
export const profiles: Projection<ProfileRow> = {
  table: 'profile',
  version: 1,
  space: 'subject',
  kind: 'user',
  columns: [
    ...entityColumns,
    'handle',
    'name',
    'bio',
    'links',
    'picture',
    'sealing_key',
  ] satisfies (keyof ProfileRow)[],
  idOf: (subject) => (isSubject(subject) && numberOf(subject) === userNumber ? authorOf(subject) : undefined),
  rowOf(subject, state) {
    if (state.kind !== 'user') return undefined
    const body = state.body as Omit<UserContent, 'prev'>
    return {
      ...entityRow(authorOf(subject), state),
      handle: body.handle ?? null,
      name: body.name ?? null,
      bio: body.bio ?? null,
      links: body.links ?? [],
      picture: body.picture ?? null,
      sealing_key: body.sealingKey ?? null,
    }
  },
}
