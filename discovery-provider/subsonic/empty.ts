import { ElementText, type Fields } from './answer.ts'
import { albumOf } from './ids.ts'
import type { Asked, Methods, SubsonicParts } from './method.ts'

/** What players ask for as they start, and what is not to be found here: with an empty answer they go on. */
const nothing: Readonly<Record<string, Fields>> = {
  // Who plays what just now is told to nobody.
  getNowPlaying: { nowPlaying: {} },
  // The catalogue comes from the chain by itself.
  getScanStatus: { scanStatus: { scanning: false } },
  getLyrics: { lyrics: {} },
  getBookmarks: { bookmarks: {} },
  getPlayQueue: {},
  getInternetRadioStations: { internetRadioStations: {} },
  getPodcasts: { podcasts: {} },
  getShares: { shares: {} },
  getVideos: { videos: {} },
}

export function emptyMethods({ postgres }: SubsonicParts): Methods {
  /** All that is known of an album beside its songs is what its author has written. */
  async function albumInfo({ parameters }: Asked): Promise<Fields> {
    const album = albumOf(parameters.required('id'))
    if ('singlesOf' in album) return { albumInfo: {} }
    const { rows } = await postgres.query<{ description: string | null }>(
      'SELECT description FROM playlist WHERE id = $1',
      [album.playlist],
    )
    const description = rows[0]?.description
    return { albumInfo: typeof description === 'string' ? { notes: new ElementText(description) } : {} }
  }

  return {
    ...Object.fromEntries(Object.entries(nothing).map(([name, fields]) => [name, () => fields])),
    getAlbumInfo: albumInfo,
    getAlbumInfo2: albumInfo,
  }
}
