import { Problem } from '@hexachord/platform/http'
import { handleSchema } from '@hexachord/protocol/actions'
import { checked, parsed } from '@hexachord/protocol/checked'
import type { Address } from '@hexachord/protocol/names'
import * as z from 'zod'
import { addressText } from '../reading/entity.ts'
import { listFollows } from '../reading/follows.ts'
import { listMarks } from '../reading/marks.ts'
import { listPlaylists } from '../reading/playlists.ts'
import { resolve } from '../reading/resolve.ts'
import { type Answer, type Route, route } from '../reading/route.ts'
import { listTracks } from '../reading/tracks.ts'
import { readUsers } from '../reading/users.ts'
import { findUsers } from './lists.ts'
import { opaqueSubject, opaqueUser, userIds, userParams } from './opaque-ids.ts'
import { appQuery, listQuery, readSlice, type Slice } from './paging.ts'
import type { PioneerParts } from './parts.ts'
import {
  dataOf,
  pioneerFavoriteSchema,
  pioneerPlaylistSchema,
  pioneerRepostSchema,
  pioneerTrackSchema,
  pioneerUserSchema,
} from './shapes.ts'
import { wordsQuery } from './track-filters.ts'

type Page = { readonly description: string; readonly name: string; readonly schema: z.ZodType }

const pageOf = (name: string, item: z.ZodType): Page => ({
  ...{ description: 'As many as were asked for', name },
  schema: dataOf(z.array(item)),
})
const trackPage = pageOf('PioneerTrackPage', pioneerTrackSchema)
const userPage = pageOf('PioneerUserPage', pioneerUserSchema)
const playlistPage = pageOf('PioneerPlaylistPage', pioneerPlaylistSchema)
const favoritePage = pageOf('PioneerFavoritePage', pioneerFavoriteSchema)
const repostPage = pageOf('PioneerRepostPage', pioneerRepostSchema)

const users = { 200: userPage }
const user = {
  200: { description: 'The user', name: 'PioneerUser', schema: dataOf(pioneerUserSchema) },
  404: { description: 'There is nobody' },
}

export function userRoutes({ postgres: database, readTyped, entities, now }: PioneerParts): Route[] {
  async function oneUser(id: Address): Promise<Answer> {
    const [data] = await entities.users(await readUsers(database, [id], now()))
    if (data !== undefined) return { body: { data }, freshness: 'checked' }
    const detail = `${id} has neither a profile nor anything published`
    throw new Problem({ status: 404, slug: 'no-such-user', detail })
  }

  /** A list that belongs to a user. */
  const ofUser = (
    what: string,
    page: Page,
    summary: string,
    read: (asked: Slice & { id: Address }) => Promise<readonly unknown[]>,
  ): Route =>
    route({
      path: `/pioneer/v1/users/:id/${what}`,
      summary,
      params: userParams,
      query: listQuery,
      answers: { 200: page },
      async answer({ params: { id }, query: { limit, offset } }) {
        return { body: { data: await read({ id, limit, offset }) }, freshness: 'checked' }
      },
    })

  const followed =
    (end: 'author' | 'target') =>
    async ({ id, ...slice }: Slice & { id: Address }) => {
      const found = await readSlice(slice, (page) => listFollows(database, { ...page, id, end }, now()))
      return entities.users(found.map((one) => one.user))
    }

  const playlists =
    (album: boolean) =>
    async ({ id, ...slice }: Slice & { id: Address }) =>
      entities.playlists(
        await readSlice(slice, (page) => listPlaylists(database, { ...page, author: id, album })),
      )

  return [
    route({
      path: '/pioneer/v1/users',
      summary: 'Users by id (id=a&id=b, or id=a,b)',
      query: appQuery.extend({ id: userIds }),
      answers: users,
      async answer({ query: { id } }) {
        const found = await readUsers(database, id, now())
        return { body: { data: await entities.users(found) }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/users/search',
      summary: 'Users by name or handle',
      query: listQuery.extend({ query: wordsQuery(200).meta({ examples: ['guido'] }) }),
      answers: users,
      async answer({ query }) {
        const found = await findUsers({ database, readTyped }, query, now())
        return { body: { data: await entities.users(found) }, freshness: 'checked' }
      },
    }),
    route({
      path: '/pioneer/v1/users/handle/:handle',
      summary: 'One user, by handle; by address where there is none',
      params: z.strictObject({
        handle: z
          .string()
          .max(100)
          .meta({ examples: ['guido'] }),
      }),
      query: appQuery,
      answers: user,
      async answer({ params: { handle } }) {
        const address = checked(addressText, handle)
        if (address.success) return oneUser(address.data)
        const name = parsed(handleSchema, handle.toLowerCase())
        const { id } = await resolve(database, { handle: name }, now())
        return oneUser(parsed(addressText, id))
      },
    }),
    route({
      path: '/pioneer/v1/users/:id',
      summary: 'One user',
      params: userParams,
      query: appQuery,
      answers: user,
      answer: ({ params: { id } }) => oneUser(id),
    }),
    ofUser('tracks', trackPage, 'Tracks of a user, newest first', async ({ id, ...slice }) =>
      entities.tracks(await readSlice(slice, (page) => listTracks(database, { ...page, author: id }, now()))),
    ),
    ofUser('playlists', playlistPage, 'Public playlists of a user, newest first', playlists(false)),
    ofUser('albums', playlistPage, 'Albums of a user, newest first', playlists(true)),
    ofUser('followers', userPage, 'Who follows a user', followed('target')),
    ofUser('following', userPage, 'Whom a user follows', followed('author')),
    ofUser('favorites', favoritePage, 'What a user has saved', async ({ id, ...slice }) => {
      const marks = await readSlice(slice, (page) => listMarks(database, 'save', { ...page, id }, now()))
      return marks.flatMap(({ track, playlist, sinceMs }) => {
        const target = track ?? playlist
        if (target === null) return []
        return {
          favorite_item_id: opaqueSubject(target.id),
          favorite_type: track ? 'SaveType.track' : playlist?.album ? 'SaveType.album' : 'SaveType.playlist',
          user_id: opaqueUser(id),
          created_at: new Date(sinceMs).toISOString(),
        }
      })
    }),
    ofUser('reposts', repostPage, 'What a user has reposted', async ({ id, ...slice }) => {
      const marks = await readSlice(slice, (page) => listMarks(database, 'repost', { ...page, id }, now()))
      const tracks = await entities.tracks(marks.flatMap(({ track }) => track ?? []))
      const shown = await entities.playlists(marks.flatMap(({ playlist }) => playlist ?? []))
      const items = new Map([...tracks, ...shown].map((item) => [item.id, item]))
      return marks.flatMap(({ track, playlist, sinceMs }) => {
        const target = track ?? playlist
        if (target === null) return []
        return {
          class: track ? 'track_activity' : 'collection_activity',
          item_type: track ? 'track' : 'playlist',
          timestamp: new Date(sinceMs).toISOString(),
          item: items.get(opaqueSubject(target.id)),
        }
      })
    }),
  ]
}
