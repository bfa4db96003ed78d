import type { PlaylistContent, Sealed } from '@hexachord/protocol/actions'
import { type EntityRow, entityColumns, entityRow, type Projection, subjectId } from './projection.ts'

export type PlaylistRow = EntityRow & {
  readonly author: string
  readonly title: string
  readonly description: string | null
  readonly album: boolean
  readonly unlisted: boolean
  /** Track ids in order, whether or not such tracks exist. */
  readonly tracks: readonly string[]
  readonly cover: string | null
  /** All that a private playlist says. */
  readonly sealed: Sealed | null
}

/** As the rule of the playlist action leaves it in the state. */
type PlaylistBody = Omit<PlaylistContent, 'prev' | 'add' | 'remove' | 'move'> & {
  readonly tracks?: readonly string[]
}

export const playlists: Projection<PlaylistRow> = {
  table: 'playlist',
  version: 1,
  space: 'subject',
  kind: 'playlist',
  columns: [
    ...entityColumns,
    'author',
    'title',
    'description',
    'album',
    'unlisted',
    'tracks',
    'cover',
    'sealed',
  ] satisfies (keyof PlaylistRow)[],
  jsonColumns: ['sealed'] satisfies (keyof PlaylistRow)[],
  idOf: subjectId,
  rowOf(subject, state) {
    if (state.kind !== 'playlist' || state.deleted) return undefined
    const body = state.body as unknown as PlaylistBody
    return {
      ...entityRow(subject, state),
      author: state.author,
      title: body.title ?? '',
      description: body.description ?? null,
      album: body.album ?? false,
      unlisted: body.unlisted ?? body.sealed !== undefined,
      tracks: body.tracks ?? [],
      cover: body.cover ?? null,
      sealed: body.sealed ?? null,
    }
  },
}
