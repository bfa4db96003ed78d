/**
 * Content types by ending: what plays and shows, nothing that runs. Whatever else is asked for is bytes, so that a
 * block can never be opened as a page or a script of this origin.
 */
const contentTypes: Readonly<Record<string, string>> = {
  m4s: 'audio/mp4',
  mp4: 'audio/mp4',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  mp3: 'audio/mpeg',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
  wav: 'audio/wav',
  ts: 'video/mp2t',
  m3u8: 'application/vnd.apple.mpegurl',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  avif: 'image/avif',
  gif: 'image/gif',
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
}

const nameLimit = 200

export function contentTypeOf(fileName: string | null): string {
  const ending = fileName?.slice(fileName.lastIndexOf('.') + 1).toLowerCase() ?? ''
  return (
    (Object.hasOwn(contentTypes, ending) ? contentTypes[ending] : undefined) ?? 'application/octet-stream'
  )
}

/**
 * A Content-Disposition as RFC 6266 has it: a name in ASCII for everybody, and the whole name beside it where that
 * says more. Path separators and control characters are taken out.
 */
export function contentDisposition(type: 'inline' | 'attachment', fileName: string): string {
  const name = fileName
    .slice(0, nameLimit)
    .toWellFormed()
    .replaceAll(/[\p{Cc}/\\]/gu, '_')
  const ascii = name.replaceAll(/[^\x20-\x7e]|["%]/g, '_')
  const plain = `${type}; filename="${ascii}"`
  return ascii === name ? plain : `${plain}; filename*=UTF-8''${encodeExtended(name)}`
}

/** RFC 8187: what encodeURIComponent leaves alone is more than may stand in an extended value. */
function encodeExtended(name: string): string {
  return encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
