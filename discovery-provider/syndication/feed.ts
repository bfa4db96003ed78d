import { digestHex } from '@hexachord/protocol/cids'
import { audioFileType } from '@hexachord/protocol/manifests'
import { playlistMediaType } from '@hexachord/protocol/playlists'
import type { Track } from '@hexachord/protocol/rest'
import { isOpen } from '../reading/closed-audio.ts'
import { type Collection, listedAtMs } from './collection.ts'
import { feedGuid } from './feed-guid.ts'
import type { AudioFile, KnownAudio } from './known-audio.ts'
import type { Links } from './links.ts'
import { type Child, type Element, element, textElement, xmlDocument } from './markup.ts'

export type Episode = { readonly track: Track; readonly audio: KnownAudio | undefined }

const namespaces = {
  version: '2.0',
  'xmlns:atom': 'http://www.w3.org/2005/Atom',
  'xmlns:itunes': 'http://www.itunes.com/dtds/podcast-1.0.dtd',
  'xmlns:podcast': 'https://podcastindex.org/namespace/1.0',
}

/** RSS 2.0 with what Apple and Podcasting 2.0 add: every track is an episode that any podcast program plays, and that
 * programs of our kind check by its hashes. */
export function rssFeed(collection: Collection, episodes: readonly Episode[], links: Links): string {
  const { kind } = collection
  const items = episodes.map((episode, place) =>
    // The order of others than albums is by time.
    itemOf(episode, links, kind === 'artist' ? undefined : place + 1),
  )
  return feedOf(collection, { links, medium: 'music', episodes, content: items })
}

/** A list by reference, as Podcasting 2.0 has it for playlists: each track stands in the feed of its artist. */
export function remoteFeed(collection: Collection, episodes: readonly Episode[], links: Links): string {
  const items = episodes.map(({ track: { id, author } }) => {
    const feedUrl = links.feed({ kind: 'users', id: author })
    return element('podcast:remoteItem', {
      feedGuid: feedGuid(feedUrl),
      feedUrl,
      itemGuid: id,
      medium: 'music',
    })
  })
  return feedOf(collection, { links, medium: 'musicL', episodes, content: items })
}

function feedOf(
  { source, kind, title, by, description, unlisted, updatedAtMs }: Collection,
  {
    links,
    medium,
    episodes,
    content,
  }: { links: Links; medium: 'music' | 'musicL'; episodes: readonly Episode[]; content: readonly Element[] },
): string {
  const remote = medium === 'musicL' ? '?items=remote' : ''
  const self = links.feed(source) + remote
  const image = episodes.find(({ audio }) => audio?.cover !== undefined)
  return xmlDocument(
    element(
      'rss',
      namespaces,
      element(
        'channel',
        {},
        textElement('title', title),
        textElement('link', links.page(source)),
        textElement('description', description || `Music by ${by}`),
        textElement('generator', 'Hexachord'),
        textElement('lastBuildDate', new Date(updatedAtMs).toUTCString()),
        element('atom:link', { href: self, rel: 'self', type: 'application/rss+xml' }),
        textElement('podcast:guid', feedGuid(self)),
        textElement('podcast:medium', medium),
        textElement('itunes:author', by),
        // Programs show what is serial in the order of its numbers.
        textElement('itunes:type', kind === 'artist' ? 'episodic' : 'serial'),
        element('itunes:category', { text: 'Music' }),
        unlisted ? textElement('itunes:block', 'Yes') : undefined,
        ...(image === undefined ? [] : [element('itunes:image', { href: links.cover(image.track.id) })]),
        ...content,
      ),
    ),
  )
}

function itemOf({ track, audio }: Episode, links: Links, number: number | undefined): Element {
  const { id, title, artist, description, licence, durationMs } = track
  return element(
    'item',
    {},
    textElement('title', title),
    textElement('link', links.trackPage(id)),
    element('guid', { isPermaLink: 'false' }, id),
    textElement('pubDate', new Date(listedAtMs(track)).toUTCString()),
    textElement('description', description || `${title} by ${artist}`),
    // The profile of RSS: where the length cannot be determined, it is 0.
    // What is encrypted or costs something no program of this kind can play.
    isOpen(track)
      ? element('enclosure', {
          url: links.audio(id),
          length: audio?.usual.byteLength ?? 0,
          type: audioFileType,
        })
      : undefined,
    textElement('itunes:author', artist),
    textElement('itunes:duration', Math.round(durationMs / 1000)),
    textElement('itunes:episode', number),
    audio?.cover === undefined ? undefined : element('itunes:image', { href: links.cover(id) }),
    textElement('podcast:license', licence.toLowerCase()),
    ...alternatives({ track, audio }, links),
  )
}

function alternatives({ track, audio }: Episode, links: Links): Child[] {
  const { id, manifest } = track
  const open = isOpen(track)
  const files = open ? (audio?.files ?? []) : []
  return [
    ...files.map((file) => alternativeFile(file, { url: links.audio(id, file.name), audio })),
    open
      ? element(
          'podcast:alternateEnclosure',
          { type: playlistMediaType, title: 'HLS' },
          element('podcast:source', { uri: links.hls(id) }),
        )
      : undefined,
    // The bytes behind this name are all that is needed to check every segment of the track, wherever it comes from.
    element(
      'podcast:alternateEnclosure',
      { type: 'application/vnd.ipld.dag-json', length: audio?.manifestBytes, title: 'By content' },
      element('podcast:source', { uri: `ipfs://${manifest}` }),
      integrity(digestHex(manifest)),
    ),
    open ? originalOf({ id, audio }, links) : undefined,
  ]
}

function alternativeFile(
  { name, codec, byteLength, bitsPerSecond }: AudioFile,
  { url, audio }: { url: string; audio: KnownAudio | undefined },
): Element {
  const isUsual = audio?.usual.name === name
  return element(
    'podcast:alternateEnclosure',
    {
      ...{ type: audioFileType, length: byteLength, bitrate: bitsPerSecond, codecs: codec, title: name },
      default: isUsual ? 'true' : undefined,
    },
    element('podcast:source', { uri: url }),
  )
}

/** The one file whose hash as a whole is known: its artist has signed it. */
function originalOf(
  { id, audio }: { id: Track['id']; audio: KnownAudio | undefined },
  links: Links,
): Element | undefined {
  if (audio?.original === undefined) return undefined
  const { type, byteLength, sha256 } = audio.original
  return element(
    'podcast:alternateEnclosure',
    { type, length: byteLength, title: 'Original' },
    element('podcast:source', { uri: links.original(id) }),
    integrity(sha256),
  )
}

/** W3C Subresource Integrity of bytes with this SHA-256. */
function integrity(sha256: `0x${string}`): Element {
  const value = `sha256-${Buffer.from(sha256.slice(2), 'hex').toString('base64')}`
  return element('podcast:integrity', { type: 'sri', value })
}
