import { Problem } from '@hexachord/platform/http'
import type { Database } from './entity.ts'
import { subjectParams } from './entity.ts'
import { gatewayOf, type LiveHolders } from './live-holders.ts'
import { route } from './route.ts'
import { readTrack } from './tracks.ts'

/** Seconds after which a node that was restarted may be back. */
const retryAfterSeconds = 5

export function streamRoutes(database: Database, liveHolders: LiveHolders) {
  return [
    route({
      path: '/v1/tracks/:id/stream',
      summary: 'To the HLS master playlist of the track at a node that holds it and answers now',
      params: subjectParams,
      answers: {
        302: { description: 'The playlist is there' },
        404: { description: 'There is no such track' },
        410: { description: 'The track was deleted' },
        503: { description: 'No node that holds the track answers at this moment' },
      },
      async answer({ params: { id } }) {
        const { manifest, holders } = await readTrack(database, id)
        const holder = await liveHolders.find(manifest, holders)
        if (holder !== undefined) {
          return { location: `${gatewayOf(holder.endpoint)}/hls/${manifest}/master.m3u8` }
        }
        throw new Problem({
          status: 503,
          slug: 'no-live-holder',
          detail: `none of the ${holders.length} nodes that hold ${id} answers at this moment; try again in a few seconds`,
          headers: { 'Retry-After': String(retryAfterSeconds) },
        })
      },
    }),
  ]
}
