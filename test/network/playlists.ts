import { lintPlaylist } from '@hexachord/protocol/hls-lint'

export type FetchedPlaylist = { url: string; text: string; uris: string[] }

/** Fetches a playlist as players do, redirects and all. @returns it with its URIs made absolute @throws when the lint finds anything */
export async function fetchPlaylist(url: string): Promise<FetchedPlaylist> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${text.slice(0, 300)}`)
  const type = response.headers.get('content-type')
  if (type !== 'application/vnd.apple.mpegurl') throw new Error(`${url} has the media type ${type}`)
  const findings = lintPlaylist(text, { uri: response.url })
  if (findings.length > 0) throw new Error(`${url} breaks RFC 8216: ${JSON.stringify(findings, null, 2)}`)
  const written = text.split('\n').flatMap((line) => {
    if (line.startsWith('#')) return [...line.matchAll(/\bURI="([^"]*)"/g)].map(([, uri = '']) => uri)
    return line.trim() === '' ? [] : [line.trim()]
  })
  return { url: response.url, text, uris: written.map((uri) => new URL(uri, response.url).href) }
}
