/** A playlist that cannot be written from what was given. */
export class PlaylistError extends Error {
  override readonly name = 'PlaylistError'
}

/** Checks that a URI stands on one line and inside quotes (RFC 8216 4.1, 4.2), with nothing that RFC 3986 2
 * would have percent-encoded. @throws PlaylistError */
export function checkedUri(uri: string): string {
  if (!/^(?!#)[!#-;=?-[\]_a-z~]+$/.test(uri)) {
    throw new PlaylistError(`'${uri.slice(0, 100)}' cannot stand in a playlist: percent-encode it`)
  }
  return uri
}
