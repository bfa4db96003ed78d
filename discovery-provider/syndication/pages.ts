import { audioFileType } from '@hexachord/protocol/manifests'
import type { Track } from '@hexachord/protocol/rest'
import { isOpen } from '../reading/closed-audio.ts'
import { type Collection, listedAtMs } from './collection.ts'
import type { KnownAudio } from './known-audio.ts'
import type { Links, Source } from './links.ts'
import { type Child, element, htmlDocument, jsonData } from './markup.ts'
import { type Card, playerWidth } from './oembed.ts'
import { collectionData, recordingData, type StructuredData } from './structured-data.ts'

const style =
  'body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:1rem auto;padding:0 1rem}' +
  'audio{width:100%}img{max-width:12rem}li{margin:.5rem 0}p{white-space:pre-line}'

/** What a page may load: pictures and sound, wherever a redirect of ours leads. No script, and none of a stranger's. */
const policy =
  "default-src 'none'; img-src *; media-src *; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

/** Of pages, which nobody may put into a frame. */
export const pageHeaders = { 'Content-Security-Policy': `${policy}; frame-ancestors 'none'` }
/** Of players, which are made for frames: the older header that forbids them goes. */
export const playerHeaders = {
  'Content-Security-Policy': `${policy}; frame-ancestors *`,
  'X-Frame-Options': null,
}

const trackHeight = 120
const collectionHeight = 360

export function trackCard(
  track: Track,
  audio: KnownAudio | undefined,
  links: Links,
  { released = true }: { released?: boolean } = {},
): Card {
  return {
    ...{ title: track.title, by: track.artist, byUrl: links.page({ kind: 'users', id: track.author }) },
    ...{ page: links.trackPage(track.id), height: trackHeight },
    player: released && isOpen(track) ? links.trackPlayer(track.id) : undefined,
    cover: coverOf(track.id, audio, links),
  }
}

/** @param first audio of its first track, whose cover is shown */
export function collectionCard(collection: Collection, first: KnownAudio | undefined, links: Links): Card {
  const { source, title, by, byId, tracks } = collection
  const [track] = tracks
  return {
    ...{ title, by, byUrl: links.page({ kind: 'users', id: byId }), page: links.page(source) },
    ...{ player: links.player(source), height: collectionHeight },
    cover: track && coverOf(track.id, first, links),
  }
}

function coverOf(id: Track['id'], audio: KnownAudio | undefined, links: Links): Card['cover'] {
  const { cover } = audio ?? {}
  return cover && { url: links.cover(id), width: cover.width, height: cover.height }
}

/** Of a track that is not out: when it will be, and nothing to listen to. */
export function trackPage({
  track,
  author,
  audio,
  released,
  links,
}: {
  track: Track
  author: string
  audio: KnownAudio | undefined
  released: boolean
  links: Links
}): string {
  const { id, title, artist, album, description, licence, durationMs, unlisted } = track
  const artistSource: Source = { kind: 'users', id: track.author }
  const card = trackCard(track, audio, links, { released })
  const plays = released && isOpen(track)
  const announcement = `To be released on ${new Date(listedAtMs(track)).toUTCString()}`
  return page({
    card,
    links,
    unlisted: unlisted || !released,
    description: released ? description || `${title} by ${artist}` : announcement,
    graph: {
      'og:type': 'music.song',
      ...(plays ? { 'og:audio': links.audio(id), 'og:audio:type': audioFileType } : {}),
      'music:duration': Math.round(durationMs / 1000),
      'music:musician': links.page(artistSource),
    },
    stream: plays ? links.audio(id) : undefined,
    feed: { url: links.feed(artistSource), title: author },
    data: recordingData({ track, audio, plays, links }),
    body: [
      element('h1', {}, title),
      element('p', {}, artist, album === null ? '' : ` · ${album}`),
      picture(card),
      released ? sound(track, links) : element('p', {}, element('strong', {}, announcement)),
      description ? element('p', {}, description) : undefined,
      element(
        'p',
        {},
        `Licence: ${licence} · `,
        link(links.page(artistSource), `More by ${author}`),
        ...(plays ? [' · ', link(links.hls(id), 'HLS')] : []),
      ),
    ],
  })
}

export function collectionPage(collection: Collection, first: KnownAudio | undefined, links: Links): string {
  const { source, kind, title, by, byId, description, tracks, unlisted } = collection
  const card = collectionCard(collection, first, links)
  const type = { artist: 'profile', album: 'music.album', playlist: 'music.playlist' }[kind]
  return page({
    card,
    links,
    unlisted,
    description: description || `Music by ${by}`,
    graph: { 'og:type': type, ...(kind === 'album' ? { 'music:musician': card.byUrl } : {}) },
    stream: undefined,
    feed: { url: links.feed(source), title },
    data: collectionData(collection, links),
    body: [
      element('h1', {}, title),
      kind === 'artist' ? undefined : element('p', {}, link(links.page({ kind: 'users', id: byId }), by)),
      picture(card),
      description ? element('p', {}, description) : undefined,
      trackList(tracks, links),
      element(
        'p',
        {},
        link(links.feed(source), 'RSS'),
        ' · ',
        link(links.m3u(source), 'M3U8'),
        ' · ',
        link(links.xspf(source), 'XSPF'),
      ),
    ],
  })
}

/** For a frame on somebody else's page. */
export function trackPlayer(track: Track, links: Links): string {
  return player(`${track.artist} – ${track.title}`, [
    element('strong', {}, outward(links.trackPage(track.id), track.title)),
    ` ${track.artist}`,
    sound(track, links),
  ])
}

export function collectionPlayer({ source, title, tracks }: Collection, links: Links): string {
  const content = [element('strong', {}, outward(links.page(source), title)), trackList(tracks, links)]
  return player(title, content)
}

function player(title: string, content: readonly Child[]): string {
  return htmlDocument(
    element('html', {}, element('head', {}, ...headOf(title), noIndex), element('body', {}, ...content)),
  )
}

type Page = {
  readonly card: Card
  readonly links: Links
  readonly unlisted: boolean
  readonly description: string
  /** Open Graph, https://ogp.me: what is not the same for every page. */
  readonly graph: Readonly<Record<string, string | number>>
  /** The audio itself, where it is one. */
  readonly stream: string | undefined
  readonly feed: { readonly url: string; readonly title: string }
  readonly data: StructuredData
  readonly body: readonly Child[]
}

const noIndex = element('meta', { name: 'robots', content: 'noindex' })

function page({ card, links, unlisted, description, graph, stream, feed, data, body }: Page): string {
  const properties = {
    'og:title': card.title,
    'og:description': description,
    'og:url': card.page,
    'og:site_name': 'Hexachord',
    ...graph,
    ...(card.cover && {
      'og:image': card.cover.url,
      'og:image:width': card.cover.width,
      'og:image:height': card.cover.height,
    }),
  }
  const names = {
    description,
    'twitter:card': card.player === undefined ? 'summary' : 'player',
    'twitter:title': card.title,
    'twitter:description': description,
    'twitter:image': card.cover?.url,
    ...(card.player === undefined
      ? {}
      : {
          'twitter:player': card.player,
          'twitter:player:width': playerWidth,
          'twitter:player:height': card.height,
        }),
    ...(stream === undefined
      ? {}
      : { 'twitter:player:stream': stream, 'twitter:player:stream:content_type': audioFileType }),
  }
  const alternate = (type: string, href: string, title: string) =>
    element('link', { rel: 'alternate', type, href, title })
  return htmlDocument(
    element(
      'html',
      {},
      element(
        'head',
        {},
        ...headOf(`${card.title} – ${card.by}`),
        unlisted ? noIndex : undefined,
        ...metas('property', properties),
        ...metas('name', names),
        element('link', { rel: 'canonical', href: card.page }),
        ...(card.player === undefined
          ? []
          : [
              alternate('application/json+oembed', links.oembed(card.page, 'json'), card.title),
              alternate('text/xml+oembed', links.oembed(card.page, 'xml'), card.title),
            ]),
        alternate('application/rss+xml', feed.url, feed.title),
        element('script', { type: 'application/ld+json' }, jsonData(data)),
      ),
      element('body', {}, ...body),
    ),
  )
}

function headOf(title: string): Child[] {
  return [
    element('meta', { charset: 'utf-8' }),
    element('meta', { name: 'viewport', content: 'width=device-width' }),
    element('title', {}, title),
    element('style', {}, { data: style }),
  ]
}

function metas(key: 'name' | 'property', values: Readonly<Record<string, string | number | undefined>>) {
  return Object.entries(values).flatMap(([name, content]) =>
    content === undefined ? [] : [element('meta', { [key]: name, content })],
  )
}

function trackList(tracks: readonly Track[], links: Links): Child {
  const items = tracks.map((track) => {
    const { id, artist, title } = track
    return element('li', {}, outward(links.trackPage(id), `${artist} – ${title}`), sound(track, links))
  })
  return element('ol', {}, ...items)
}

/** A page cannot pay, and has no keys. */
function sound(track: Track, links: Links): Child {
  const { id, premium } = track
  if (!isOpen(track)) {
    const why = premium ? 'Encrypted' : 'Costs something'
    return element('p', {}, `${why}: hear it by hexachord play ${id}, or in an app that pays`)
  }
  return element('audio', { controls: '', preload: 'none', src: links.audio(id) })
}

function picture({ cover }: Card): Child {
  return cover && element('img', { src: cover.url, alt: 'Cover' })
}

function link(href: string, text: string): Child {
  return element('a', { href, dir: 'auto' }, text)
}

/** A link that leaves the frame that it may stand in. */
function outward(href: string, text: string): Child {
  return element('a', { href, dir: 'auto', target: '_top' }, text)
}
