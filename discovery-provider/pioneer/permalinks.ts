import { type Address, isSubject, type Subject } from '@hexachord/protocol/names'
import { nameInUrl } from '../reading/resolve.ts'
import { opaqueSubject, subjectOfOpaque } from './opaque-ids.ts'

/** Paths under which apps know an entity: `/guido/ut-queant-laxis-<id>`, `/guido/album/hymns-<id>`, `/guido`. */
type Named = { readonly id: Subject; readonly title: string }

export function trackPermalink(handle: string, track: Named): string {
  return `/${handle}/${slugOf(track)}`
}

export function playlistPermalink(handle: string, playlist: Named & { readonly album: boolean }): string {
  return `/${handle}/${playlist.album ? 'album' : 'playlist'}/${slugOf(playlist)}`
}

/** How somebody without a handle is called. */
export function handleOf({ id, handle }: { id: Address; handle: string | null }): string {
  return handle ?? id
}

/** Words of the title for who reads it, and the id for us. */
function slugOf({ id, title }: Named): string {
  const words =
    title
      .normalize('NFKD')
      .replaceAll(/\p{M}/gu, '')
      .toLowerCase()
      .match(/[a-z0-9]+/g) ?? []
  return [...words.slice(0, 12), opaqueSubject(id)].join('-')
}

/** The URL by which `/v1/resolve` knows what a permalink means; a URL of ours as it is.
 * @param text a URL, or a path */
export function resolvable(text: string): string {
  const url = new URL(text, 'https://permalink.example')
  const [handle, ...rest] = url.pathname.split('/').filter((part) => part !== '')
  const subject = subjectOfPermalink(url.pathname)
  if (subject !== undefined) return `${url.origin}/${subject}`
  if (handle === undefined || rest.length > 0 || nameInUrl(url.href) !== undefined) return url.href
  return `${url.origin}/@${handle.toLowerCase()}`
}

/** The track or playlist that a permalink, or the path of a page of ours, ends with. */
export function subjectOfPermalink(text: string): Subject | undefined {
  const last = text.split('/').at(-1) ?? ''
  // The number of most subjects would itself be read as an id, of nothing.
  return isSubject(last) ? last : subjectOfOpaque(last.split('-').at(-1) ?? '')
}
