import { Problem } from '@hexachord/platform/http'
import type { Holder } from '@hexachord/protocol/rest'
import * as z from 'zod'
import { addressText, type Database, playlistParams } from './entity.ts'
import { gatewayOf, type LiveHolders } from './live-holders.ts'
import { readPlaylist } from './playlists.ts'
import { type Answer, route } from './route.ts'
import { readUsers } from './users.ts'

type Pictures = { readonly database: Database; readonly liveHolders: LiveHolders }

/** Nodes that are asked for a picture. */
const maximumAsked = 8

/** Where a picture that a profile or a playlist names is at this moment; undefined where no node that was asked has it.
 * Nobody has promised to hold it: those are asked first that come first by its name. */
export async function pictureUrl(
  { database, liveHolders }: Pictures,
  cid: string,
): Promise<string | undefined> {
  const { rows: nodes } = await database.query<Holder>(
    `SELECT id AS operator, gateway AS endpoint FROM operator WHERE active AND gateway IS NOT NULL
     ORDER BY md5(id || $1) LIMIT ${maximumAsked}`,
    [cid],
  )
  const node = await liveHolders.find(cid, nodes)
  return node && `${gatewayOf(node.endpoint)}/ipfs/${cid}`
}

export function pictureRoutes(pictures: Pictures, now: () => number) {
  async function answerOf(cid: string | null | undefined, whose: string): Promise<Answer> {
    if (cid === null || cid === undefined) {
      throw new Problem({ status: 404, slug: 'no-picture', detail: `${whose} has no picture` })
    }
    const location = await pictureUrl(pictures, cid)
    if (location !== undefined) return { location }
    throw new Problem({
      status: 503,
      slug: 'no-live-holder',
      detail: `no node that was asked has the picture of ${whose} at this moment; try again in a few seconds`,
      headers: { 'Retry-After': '5' },
    })
  }

  return [
    route({
      path: '/v1/users/:id/picture',
      summary: 'To the picture of a user',
      params: z.strictObject({ id: addressText }),
      answers: {
        302: { description: 'It is there' },
        404: { description: 'There is no such user, or no picture' },
        503: { description: 'No node has it at this moment' },
      },
      async answer({ params: { id } }) {
        const [user] = await readUsers(pictures.database, [id], now())
        return answerOf(user?.picture, id)
      },
    }),
    route({
      path: '/v1/playlists/:id/cover',
      summary: 'To the cover of a playlist or album',
      params: playlistParams,
      answers: {
        302: { description: 'It is there' },
        404: { description: 'There is no such playlist, or it has no cover' },
        410: { description: 'The playlist was deleted' },
        503: { description: 'No node has it at this moment' },
      },
      async answer({ params: { id } }) {
        return answerOf((await readPlaylist(pictures.database, id, now())).cover, id)
      },
    }),
  ]
}
