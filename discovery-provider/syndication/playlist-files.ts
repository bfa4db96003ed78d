import type { Track } from '@hexachord/protocol/rest'
import { isOpen } from '../reading/closed-audio.ts'
import type { Collection } from './collection.ts'
import type { Links } from './links.ts'
import { element, textElement, xmlDocument } from './markup.ts'

/** Not the type of HLS, for which players would take a list of whole tracks else. */
export const m3uType = 'audio/x-mpegurl; charset=utf-8'
export const xspfType = 'application/xspf+xml; charset=utf-8'

/** An M3U in UTF-8, as nearly every player reads it: without what none of them could play. */
export function m3uOf({ title, tracks }: Collection, links: Links): string {
  const entries = tracks
    .filter(isOpen)
    .map(
      ({ id, artist, title, durationMs }) =>
        `#EXTINF:${Math.round(durationMs / 1000)},${line(`${artist} - ${title}`)}\n${links.audio(id)}\n`,
    )
  return `#EXTM3U\n#PLAYLIST:${line(title)}\n${entries.join('')}`
}

/** https://www.xspf.org/spec: elements in the order that it gives. */
export function xspfOf({ source, title, by, tracks }: Collection, links: Links): string {
  return xmlDocument(
    element(
      'playlist',
      { version: '1', xmlns: 'http://xspf.org/ns/0/' },
      textElement('title', title),
      textElement('creator', by),
      textElement('info', links.page(source)),
      textElement('location', links.xspf(source)),
      element('trackList', {}, ...tracks.map((track) => xspfTrack(track, links))),
    ),
  )
}

function xspfTrack(track: Track, links: Links) {
  const { id, manifest, title, artist, album, durationMs } = track
  return element(
    'track',
    {},
    isOpen(track) ? textElement('location', links.audio(id)) : undefined,
    // Wherever it comes from, this is what it is.
    textElement('identifier', `ipfs://${manifest}`),
    textElement('title', title),
    textElement('creator', artist),
    textElement('info', links.trackPage(id)),
    textElement('album', album),
    textElement('duration', durationMs),
  )
}

/** A text that no line break, of whatever kind, makes into a second line. */
function line(text: string): string {
  return text.toWellFormed().replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
}
