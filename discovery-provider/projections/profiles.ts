import type { UserContent } from '@hexachord/protocol/actions'
import { authorOf, numberOf, userNumber } from '@hexachord/protocol/names'
import { type EntityRow, entityColumns, entityRow, type Projection } from './projection.ts'

export type ProfileRow = EntityRow & {
  readonly handle: string | null
  readonly name: string | null
  readonly bio: string | null
  readonly links: readonly string[]
  readonly picture: string | null
}

/** Profiles go by their author's address: the number in the subject is always the same. */
export const profiles: Projection<ProfileRow> = {
  table: 'profile',
  columns: [...entityColumns, 'handle', 'name', 'bio', 'links', 'picture'] satisfies (keyof ProfileRow)[],
  idOf: (subject) => (numberOf(subject) === userNumber ? authorOf(subject) : undefined),
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
    }
  },
}
