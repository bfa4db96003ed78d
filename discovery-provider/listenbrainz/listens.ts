import { isSubject, type Subject } from '@hexachord/protocol/names'
import * as z from 'zod'

/** As many as ListenBrainz takes in one request. */
const maximumListens = 1_000

const listenSchema = z.object({
  /** Unix seconds. */
  listened_at: z.int().min(0).optional(),
  track_metadata: z.object({
    artist_name: z.string().max(1_000),
    track_name: z.string().max(1_000),
    additional_info: z.object({ origin_url: z.unknown().optional() }).optional(),
  }),
})

/** Body of `POST /1/submit-listens`, so far as it is of use here; the rest is not looked at.
 * https://listenbrainz.readthedocs.io/en/latest/users/json.html */
export const submissionSchema = z.discriminatedUnion('listen_type', [
  z.object({ listen_type: z.literal(['single', 'playing_now']), payload: z.array(listenSchema).length(1) }),
  z.object({
    listen_type: z.literal('import'),
    payload: z.array(listenSchema).min(1).max(maximumListens),
  }),
])

/** What a listen was of. */
export type Named = {
  readonly title: string
  readonly artist: string
  /** Where a player says by which id it has played the track. */
  readonly track: Subject | undefined
}

export function namedIn({ track_metadata: said }: z.output<typeof listenSchema>): Named {
  const origin = said.additional_info?.origin_url
  const inside = typeof origin === 'string' ? /0x[0-9a-f]{40}-[0-9]{1,29}/.exec(origin)?.[0] : undefined
  return {
    title: said.track_name.replaceAll('\0', ''),
    artist: said.artist_name.replaceAll('\0', ''),
    track: isSubject(inside) ? inside : undefined,
  }
}
