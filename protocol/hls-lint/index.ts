import { readAttributes } from './attributes.ts'
import { checkText, readLines } from './lines.ts'
import { checkMaster } from './master.ts'
import { checkMedia } from './media.ts'
import type { Finding } from './rules.ts'
import { checkStructure, checkVersion, kindOf } from './structure.ts'

export { type Finding, type Rule, rules } from './rules.ts'

/** Checks a playlist against what RFC 8216 demands, line by line and by no parser that also writes playlists.
 * @param options.uri where the playlist was fetched: what relative URIs in it are relative to
 * @returns what is wrong, in the order of the lines; nothing for a valid playlist */
export function lintPlaylist(text: string, options: { readonly uri?: string } = {}): Finding[] {
  const base = options.uri ?? 'https://playlist.invalid/'
  const { entries, findings } = readAttributes(readLines(text))
  const kind = kindOf(entries)
  return [
    ...checkText(text),
    ...findings,
    ...checkStructure(entries, kind),
    ...checkVersion(entries),
    ...(kind === 'media' ? checkMedia(entries, base) : []),
    ...(kind === 'master' ? checkMaster(entries, base) : []),
  ].sort((a, b) => a.line - b.line)
}
