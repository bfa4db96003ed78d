const parameter = /([?&])s=([^&#]*)(&?)/

/**
 * Takes the session off a URL: `?s=` is the secret of whoever pays, and no part of what is asked for.
 * @returns the URL without it, and the session
 */
export function takeSession(url: string): { url: string; session: string | undefined } {
  const found = parameter.exec(url)
  if (found === null) return { url, session: undefined }
  const [whole, before = '', session = '', after = ''] = found
  const rest = url.slice(found.index + whole.length)
  // `?s=x&b` becomes `?b`, and `?a&s=x&b` becomes `?a&b`.
  const joint = after === '' ? '' : before
  return { url: url.slice(0, found.index) + joint + rest, session }
}
