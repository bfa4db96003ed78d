import { parsed } from '@hexachord/protocol/checked'
import { isSubject } from '@hexachord/protocol/names'
import * as z from 'zod'
import { addressText, exampleAuthor } from '../reading/entity.ts'
import { resolve } from '../reading/resolve.ts'
import { type Route, route } from '../reading/route.ts'
import { createEntities } from './entities.ts'
import { opaqueSubject, opaqueUser } from './opaque-ids.ts'
import { appQuery } from './paging.ts'
import type { PioneerParts } from './parts.ts'
import { resolvable } from './permalinks.ts'
import { playlistRoutes } from './playlist-routes.ts'
import { dataOf } from './shapes.ts'
import { trackRoutes } from './track-routes.ts'
import { userRoutes } from './user-routes.ts'

/** The public API of the pioneer of this kind of network, as far as apps that only read and play call it: such an app
 * works when its base URL becomes `/pioneer` of a provider. */
export function pioneerRoutes(given: Omit<PioneerParts, 'entities'>): Route[] {
  const { postgres: database, publicUrl, now } = given
  const parts = { ...given, entities: createEntities({ database, publicUrl, now }) }
  return [
    route({
      path: '/pioneer',
      summary: 'Hosts that answer: this one, for apps that choose one at their start',
      query: appQuery,
      answers: {
        200: { description: 'Base URLs', name: 'PioneerHosts', schema: dataOf(z.array(z.url())) },
      },
      answer: async () => ({ body: { data: [`${publicUrl}/pioneer`] }, freshness: 'recent' }),
    }),
    ...trackRoutes(parts),
    ...userRoutes(parts),
    ...playlistRoutes(parts),
    route({
      path: '/pioneer/v1/resolve',
      summary: 'To the entity that a permalink, or the URL of a page of ours, speaks of',
      query: appQuery.extend({
        url: z
          .string()
          .max(500)
          .refine((text) => URL.canParse(text, publicUrl), 'must be a URL or a path')
          .meta({ examples: [`https://example.org/tracks/${exampleAuthor}-11`] }),
      }),
      answers: {
        302: { description: 'It is there' },
        404: { description: 'The URL names nothing in the catalogue' },
        410: { description: 'What it names was deleted, or is taken down here' },
      },
      async answer({ query: { url } }) {
        const { kind, id } = await resolve(database, { url: resolvable(url) }, now())
        const opaque = isSubject(id) ? opaqueSubject(id) : opaqueUser(parsed(addressText, id))
        return { location: `/pioneer/v1/${kind}s/${opaque}` }
      },
    }),
  ]
}
