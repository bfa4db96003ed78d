import type { Address, Subject } from '@hexachord/protocol/names'

/** What has tracks: an artist, or a playlist or album. */
export type Source =
  | { readonly kind: 'users'; readonly id: Address }
  | { readonly kind: 'playlists'; readonly id: Subject }

/** Where everything is, for programs that stand outside: absolute, and the same for as long as the provider is. */
export type Links = ReturnType<typeof linksFrom>

/** @param publicUrl origin under which others reach this provider */
export function linksFrom(publicUrl: string) {
  const at = (path: string) => `${publicUrl}${path}`
  const oembed = (page: string, format: 'json' | 'xml') =>
    at(`/oembed?${new URLSearchParams({ url: page, format })}`)
  return {
    home: at('/'),
    trackPage: (id: Subject) => at(`/tracks/${id}`),
    trackPlayer: (id: Subject) => at(`/tracks/${id}/player`),
    /** @param rendition one other than the usual */
    audio: (id: Subject, rendition?: string) =>
      at(`/v1/tracks/${id}/audio.m4a${rendition === undefined ? '' : `?rendition=${rendition}`}`),
    hls: (id: Subject) => at(`/v1/tracks/${id}/stream`),
    original: (id: Subject) => at(`/v1/tracks/${id}/download?rendition=original`),
    cover: (id: Subject) => at(`/v1/tracks/${id}/cover`),
    page: ({ kind, id }: Source) => at(`/${kind}/${id}`),
    player: ({ kind, id }: Source) => at(`/${kind}/${id}/player`),
    feed: ({ kind, id }: Source) => at(`/v1/${kind}/${id}/feed.xml`),
    m3u: ({ kind, id }: Source) => at(`/v1/${kind}/${id}/tracks.m3u8`),
    xspf: ({ kind, id }: Source) => at(`/v1/${kind}/${id}/tracks.xspf`),
    oembed,
  }
}
