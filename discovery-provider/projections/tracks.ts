import type { TrackContent } from '@hexachord/protocol/actions'
import { type EntityRow, entityColumns, entityRow, type Projection, subjectId } from './projection.ts'

export type TrackRow = EntityRow & {
  readonly author: string
  readonly title: string
  readonly artist: string
  readonly album: string | null
  readonly genre: string | null
  readonly mood: string | null
  readonly tags: readonly string[]
  readonly description: string | null
  readonly isrc: string | null
  readonly licence: string
  readonly unlisted: boolean
  readonly duration_ms: number
  readonly manifest: string
  readonly storage_root: string
  readonly leaf_count: number
  readonly byte_length: number
  readonly operators: readonly string[]
  readonly release_at_ms: number | null
  readonly remix_of: readonly string[]
  readonly remix_credits: readonly string[]
  readonly stem_of: string | null
  readonly stem_part: string | null
  readonly credits: NonNullable<TrackContent['credits']>
}

/** As the rule of the track action leaves it in the state. */
type TrackBody = Omit<TrackContent, 'prev' | 'receipts'> & { readonly operators?: readonly string[] }

export const tracks: Projection<TrackRow> = {
  table: 'track',
  version: 1,
  space: 'subject',
  kind: 'track',
  deniable: true,
  columns: [
    ...entityColumns,
    'author',
    'title',
    'artist',
    'album',
    'genre',
    'mood',
    'tags',
    'description',
    'isrc',
    'licence',
    'unlisted',
    'duration_ms',
    'manifest',
    'storage_root',
    'leaf_count',
    'byte_length',
    'operators',
    'release_at_ms',
    'remix_of',
    'remix_credits',
    'stem_of',
    'stem_part',
    'credits',
  ] satisfies (keyof TrackRow)[],
  jsonColumns: ['credits'] satisfies (keyof TrackRow)[],
  idOf: subjectId,
  rowOf(subject, state) {
    if (state.kind !== 'track' || state.deleted) return undefined
    const body = state.body as unknown as TrackBody
    return {
      ...entityRow(subject, state),
      author: state.author,
      title: body.title,
      artist: body.artist,
      album: body.album ?? null,
      genre: body.genre ?? null,
      mood: body.mood ?? null,
      tags: body.tags ?? [],
      description: body.description ?? null,
      isrc: body.isrc ?? null,
      licence: body.licence,
      unlisted: body.unlisted ?? false,
      duration_ms: body.durationMs,
      manifest: body.manifest,
      storage_root: body.storageRoot,
      leaf_count: body.leafCount,
      byte_length: body.byteLength,
      operators: body.operators ?? [],
      release_at_ms: body.releaseAtMs ?? null,
      remix_of: (body.remixOf ?? []).map(({ track }) => track),
      remix_credits: (body.remixOf ?? []).map(({ credit }) => credit),
      stem_of: body.stemOf?.track ?? null,
      stem_part: body.stemOf?.part ?? null,
      credits: body.credits ?? [],
    }
  },
}
