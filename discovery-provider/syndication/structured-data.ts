import { audioFileType } from '@hexachord/protocol/manifests'
import type { Track } from '@hexachord/protocol/rest'
import { isOpen } from '../reading/closed-audio.ts'
import { type Collection, listedAtMs } from './collection.ts'
import type { KnownAudio } from './known-audio.ts'
import type { Links } from './links.ts'

/** What search engines read in a page: JSON-LD in the words of https://schema.org. */
export type StructuredData = Readonly<Record<string, unknown>>

const context = 'https://schema.org'

export function recordingData({
  track,
  audio,
  plays,
  links,
}: {
  track: Track
  audio?: KnownAudio | undefined
  /** Of one that is not out, or not open, there is no audio. */
  plays: boolean
  links: Links
}): StructuredData {
  const { audio: object, ...rest } = recording(track, links, audio)
  return { '@context': context, ...rest, ...(plays ? { audio: object } : {}) }
}

export function collectionData(
  { source, kind, title, by, byId, description, tracks }: Collection,
  links: Links,
) {
  const type = { artist: 'MusicGroup', album: 'MusicAlbum', playlist: 'MusicPlaylist' }[kind]
  const maker = { '@type': 'MusicGroup', name: by, url: links.page({ kind: 'users', id: byId }) }
  return {
    '@context': context,
    '@type': type,
    '@id': links.page(source),
    url: links.page(source),
    name: title,
    ...(description ? { description } : {}),
    ...(kind === 'album' ? { byArtist: maker } : {}),
    ...(kind === 'playlist' ? { creator: maker } : {}),
    ...(kind === 'artist' ? {} : { numTracks: tracks.length }),
    track: tracks.map((track) => {
      const { audio, ...rest } = recording(track, links)
      return isOpen(track) ? { ...rest, audio } : rest
    }),
  }
}

function recording(track: Track, links: Links, audio?: KnownAudio): StructuredData {
  const { id, title, artist, author, album, genre, isrc, licence, durationMs } = track
  return {
    '@type': 'MusicRecording',
    '@id': links.trackPage(id),
    url: links.trackPage(id),
    name: title,
    duration: isoDuration(durationMs),
    datePublished: new Date(listedAtMs(track)).toISOString(),
    byArtist: { '@type': 'MusicGroup', name: artist, url: links.page({ kind: 'users', id: author }) },
    ...(album === null ? {} : { inAlbum: { '@type': 'MusicAlbum', name: album } }),
    ...(genre === null ? {} : { genre }),
    ...(isrc === null ? {} : { isrcCode: isrc }),
    ...(licence === 'all-rights-reserved' ? {} : { license: `https://spdx.org/licenses/${licence}.html` }),
    ...(audio?.cover === undefined ? {} : { image: links.cover(id) }),
    audio: {
      '@type': 'AudioObject',
      contentUrl: links.audio(id),
      encodingFormat: audioFileType,
      ...(audio === undefined ? {} : { contentSize: String(audio.usual.byteLength) }),
    },
  }
}

/** ISO 8601, in seconds. */
function isoDuration(ms: number): string {
  return `PT${Math.round(ms / 1000)}S`
}
