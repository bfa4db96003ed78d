import { type GuardedFetch, Problem } from '@hexachord/platform/http'
import { parsed } from '@hexachord/protocol/checked'
import type { Subject } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import * as z from 'zod'
import {
  addressText,
  type Database,
  exampleAuthor,
  playlistParams,
  subjectParams,
} from '../reading/entity.ts'
import { gatewayOf, type LiveHolders } from '../reading/live-holders.ts'
import { resolve } from '../reading/resolve.ts'
import { type Answer, type Answers, type Route, route } from '../reading/route.ts'
import { requireReleased } from '../reading/stream.ts'
import { readTrack } from '../reading/tracks.ts'
import { type Collection, readArtist, readCollection, readTrackAndAuthor } from './collection.ts'
import { type Episode, remoteFeed, rssFeed } from './feed.ts'
import { type AudioKnowledge, createAudioKnowledge, type KnownAudio } from './known-audio.ts'
import { type Links, linksFrom } from './links.ts'
import { type Card, oembedOf } from './oembed.ts'
import {
  collectionCard,
  collectionPage,
  collectionPlayer,
  pageHeaders,
  playerHeaders,
  trackCard,
  trackPage,
  trackPlayer,
} from './pages.ts'
import { m3uOf, m3uType, xspfOf, xspfType } from './playlist-files.ts'

export type SyndicationParts = {
  readonly database: Database
  readonly liveHolders: LiveHolders
  /** For the endpoints that operators have registered. */
  readonly fetch: GuardedFetch
  /** Origin under which others reach the provider. */
  readonly publicUrl: string
  /** ms */
  readonly now: () => number
}

type Context = SyndicationParts & { readonly links: Links; readonly audio: AudioKnowledge }

const rssType = 'application/rss+xml; charset=utf-8'
const pageType = 'text/html; charset=utf-8'

/** The catalogue for programs and sites that know nothing of us: feeds, playlists as files, pages, cards. */
export function syndicationRoutes(parts: SyndicationParts): Route[] {
  const context = { ...parts, links: linksFrom(parts.publicUrl), audio: createAudioKnowledge(parts) }
  const { database, now } = parts
  return [
    ...collectionRoutes(context, {
      kind: 'users',
      what: 'artist',
      params: z.strictObject({ id: addressText }),
      read: ({ id }) => readArtist(database, id, now()),
    }),
    ...collectionRoutes(context, {
      kind: 'playlists',
      what: 'public playlist or album',
      params: playlistParams,
      read: ({ id }) => readCollection(database, id, now()),
    }),
    ...trackRoutes(context),
    oembedRoute(context),
  ]
}

function collectionRoutes<Params extends z.ZodObject>(
  { links, audio }: Context,
  {
    kind,
    what,
    params,
    read,
  }: {
    kind: 'users' | 'playlists'
    what: string
    params: Params
    read(params: z.output<Params>): Promise<Collection>
  },
): Route[] {
  const knownOfFirst = async ({ tracks: [first] }: Collection) => first && (await audio.of([first]))[0]
  return [
    route({
      path: `/v1/${kind}/:id/feed.xml`,
      summary: `RSS of one ${what}, with Podcasting 2.0; items=remote names its tracks in their artists' feeds`,
      params,
      query: z.strictObject({ items: z.enum(['own', 'remote']).default('own') }),
      answers: answersOf(what, 'RSS 2.0', rssType),
      async answer({ params, query: { items } }) {
        const collection = await read(params)
        const known = await audio.of(collection.tracks)
        const episodes = collection.tracks.map((track, place): Episode => ({ track, audio: known[place] }))
        const text = (items === 'own' ? rssFeed : remoteFeed)(collection, episodes, links)
        return { text, type: rssType, freshness: freshnessOf(known) }
      },
    }),
    route({
      path: `/v1/${kind}/:id/tracks.m3u8`,
      summary: `The tracks of one ${what} as an M3U playlist in UTF-8, for players`,
      params,
      answers: answersOf(what, 'M3U', m3uType),
      answer: async ({ params }) => ({
        text: m3uOf(await read(params), links),
        type: m3uType,
        freshness: 'recent',
      }),
    }),
    route({
      path: `/v1/${kind}/:id/tracks.xspf`,
      summary: `The same as XSPF`,
      params,
      answers: answersOf(what, 'XSPF', xspfType),
      answer: async ({ params }) => ({
        text: xspfOf(await read(params), links),
        type: xspfType,
        freshness: 'recent',
      }),
    }),
    route({
      path: `/${kind}/:id`,
      summary: `A page about one ${what}, with Open Graph, a player card, JSON-LD, and links to feed and oEmbed`,
      params,
      answers: answersOf(what, 'HTML', pageType),
      async answer({ params }) {
        const collection = await read(params)
        const first = await knownOfFirst(collection)
        return pageAnswer(collectionPage(collection, first, links), [first])
      },
    }),
    route({
      path: `/${kind}/:id/player`,
      summary: `Its tracks to listen to, for a frame on another page`,
      params,
      answers: answersOf(what, 'HTML', pageType),
      answer: async ({ params }) => playerAnswer(collectionPlayer(await read(params), links)),
    }),
  ]
}

function trackRoutes({ database, liveHolders, now, links, audio }: Context): Route[] {
  async function readReleased(id: Subject): Promise<Track> {
    const track = await readTrack(database, id)
    await requireReleased(database, track, now())
    return track
  }

  return [
    route({
      path: '/tracks/:id',
      summary:
        'A page about one track, with Open Graph, a player card, JSON-LD, and links to feed and oEmbed',
      params: subjectParams,
      answers: answersOf('track', 'HTML', pageType),
      async answer({ params: { id } }) {
        const { track, author, released } = await readTrackAndAuthor(database, id, now())
        const [known] = await audio.of([track])
        const text = trackPage({ track, author, audio: known, released, links })
        return released ? pageAnswer(text, [known]) : { ...pageAnswer(text, [known]), freshness: 'checked' }
      },
    }),
    route({
      path: '/tracks/:id/player',
      summary: 'The track to listen to, for a frame on another page',
      params: subjectParams,
      answers: {
        ...answersOf('track', 'HTML', pageType),
        403: { description: 'The track is to be released later' },
      },
      answer: async ({ params: { id } }) => playerAnswer(trackPlayer(await readReleased(id), links)),
    }),
    route({
      path: '/v1/tracks/:id/cover',
      summary: 'To the cover of the track, in its largest size',
      params: subjectParams,
      answers: {
        302: { description: 'It is there' },
        403: { description: 'The track is to be released later' },
        404: { description: 'There is no such track, or it has no cover' },
        410: { description: 'The track was deleted, or is taken down here' },
        503: { description: 'No node that holds the track answers at this moment' },
      },
      async answer({ params: { id } }) {
        const track = await readReleased(id)
        const [[known], holder] = await Promise.all([
          audio.of([track]),
          liveHolders.find(track.manifest, track.holders),
        ])
        if (known === undefined || holder === undefined) throw nobodyTells(id)
        if (known.cover === undefined) {
          throw new Problem({ status: 404, slug: 'no-cover', detail: `the track ${id} has no cover` })
        }
        const { image, type } = known.cover
        const file = `cover.${type.slice('image/'.length)}`
        return { location: `${gatewayOf(holder.endpoint)}/ipfs/${image['/']}?filename=${file}` }
      },
    }),
  ]
}

function oembedRoute({ database, now, links, audio }: Context): Route {
  async function cardOf(url: string): Promise<{ card: Card; known: KnownAudio | undefined }> {
    const { kind, id } = await resolve(database, { url }, now())
    if (kind === 'track') {
      const track = await readTrack(database, parsed(subjectParams, { id }).id)
      await requireReleased(database, track, now())
      const [known] = await audio.of([track])
      return { card: trackCard(track, known, links), known }
    }
    const collection =
      kind === 'user'
        ? await readArtist(database, parsed(addressText, id), now(), { atMost: 1 })
        : await readCollection(database, parsed(subjectParams, { id }).id, now())
    const [first] = collection.tracks
    const [known] = first === undefined ? [] : await audio.of([first])
    return { card: collectionCard(collection, known, links), known }
  }

  return route({
    path: '/oembed',
    summary: 'How to show a track, an artist or a playlist on another page (https://oembed.com)',
    // Not strict: sites send what other providers take.
    query: z.object({
      url: z
        .string()
        .max(500)
        .refine((text) => URL.canParse(text), 'must be a whole URL')
        .meta({ examples: [`https://example.org/tracks/${exampleAuthor}-11`] }),
      format: z.string().max(20).default('json'),
      maxwidth: z.coerce.number<string>().int().min(1).max(10_000).optional(),
      maxheight: z.coerce.number<string>().int().min(1).max(10_000).optional(),
    }),
    answers: {
      200: { description: 'oEmbed 1.0, of type rich', type: 'application/json' },
      403: { description: 'The track is to be released later' },
      404: { description: 'The URL names nothing in the catalogue, or a private playlist' },
      410: { description: 'What it names was deleted, or is taken down here' },
      501: { description: 'There is no such format; there are json and xml' },
    },
    async answer({ query: { url, ...room } }) {
      const { card, known } = await cardOf(url)
      return { ...oembedOf(card, { ...room, links }), freshness: freshnessOf([known]) }
    },
  })
}

function answersOf(what: string, format: string, type: string): Answers {
  return {
    200: { description: format, type },
    404: { description: `There is no such ${what}` },
    410: { description: `The ${what} was deleted${what === 'track' ? ', or is taken down here' : ''}` },
  }
}

function pageAnswer(text: string, known: readonly (KnownAudio | undefined)[]): Answer {
  return { text, type: pageType, freshness: freshnessOf(known), headers: pageHeaders }
}

function playerAnswer(text: string): Answer {
  return { text, type: pageType, freshness: 'recent', headers: playerHeaders }
}

/** What lacks something that a holder will tell soon is not kept. */
function freshnessOf(known: readonly (KnownAudio | undefined)[]): 'recent' | 'checked' {
  return known.includes(undefined) ? 'checked' : 'recent'
}

function nobodyTells(id: string): Problem {
  return new Problem({
    status: 503,
    slug: 'no-live-holder',
    detail: `no node that holds ${id} answers at this moment; try again in a few seconds`,
    headers: { 'Retry-After': '5' },
  })
}
