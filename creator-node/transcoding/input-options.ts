/**
 * Containers in which music comes. Everything else stays shut: a playlist or a concat script that is called a song
 * would have the demuxer open other files of this machine.
 */
const containers = [
  'aac',
  'ac3',
  'aiff',
  'ape',
  'asf',
  'au',
  'caf',
  'dsf',
  'dts',
  'eac3',
  'flac',
  'flv',
  'iff',
  'matroska,webm',
  'mov,mp4,m4a,3gp,3g2,mj2',
  'mp3',
  'mpc',
  'mpc8',
  'mpegts',
  'ogg',
  'rf64',
  'tta',
  'w64',
  'wav',
  'wv',
]

/** Options before `-i` for a file that a stranger sent. */
export const inputOptions: readonly string[] = [
  '-protocol_whitelist',
  'file,pipe',
  '-format_whitelist',
  containers.join(','),
]

/** The file as a URL, so that no part of its name is taken for a protocol. */
export function inputUrl(path: string): string {
  return `file:${path}`
}
