import type { Track } from '@hexachord/protocol/rest'

/** Characters of UTF-16: what is left of a path's 255 bytes in the worst case is not much, but names are short. */
const nameLimit = 120

/** What some system does not take in a name of a file, and what turns the direction of writing, so that a name shows
 * another ending than it has. */
const unsafe = /[\p{Cc}/\\:*?"<>|\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** A name under which every system can save the track: `Artist - Title`, without an ending. */
export function fileNameOf({ artist, title }: Pick<Track, 'artist' | 'title'>): string {
  const name = `${artist} - ${title}`
    .toWellFormed()
    .replaceAll(unsafe, ' ')
    .replaceAll(/\s+/g, ' ')
    // A leading dot hides a file, and at the end Windows takes neither dots nor spaces.
    .replaceAll(/^[\s.]+/g, '')
  // By character, since half of one is none.
  const short = Array.from(name).slice(0, nameLimit).join('')
  return short.replaceAll(/[\s.]+$/g, '')
}
