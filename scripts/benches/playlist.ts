import { createHash } from 'node:crypto'
import { cidFromDigest, linkTo } from '@hexachord/protocol/cids'
import type { LoadedRendition, LoadedTrack, Segment } from '@hexachord/protocol/manifests'
import { mediaPlaylist, segmentFilename } from '@hexachord/protocol/playlists'
import { alternate, median, ratiosOf, rounded } from './alternate.ts'
import type { Bench } from './bench.ts'

const segmentCount = 1_000
const timescale = 44_100
/** Six seconds on the grid of AAC frames. */
const segmentTicks = 259 * 1024

/** Both sides end in bytes, as an answer over HTTP does: a string that is only concatenated is not made yet. */
export const playlist: Bench = {
  name: 'playlist',
  summary: `playlists of ${segmentCount.toLocaleString('en')} segments per second, over joining the same lines as strings`,
  // The library that writes them gives 0.29 where it does nothing else; the rest is to be nearly free.
  limit: { atLeast: 0.2 },
  async run({ rounds, small, signal, report }) {
    const track = trackOf(segmentCount)
    const uri = (cid: string, filename: string) => `/ipfs/${cid}?filename=${filename}`
    const written = () => Buffer.from(mediaPlaylist(track, 0, { segmentUri: uri, initUri: uri }))
    const joined = () => Buffer.from(joinedLines(track, uri))
    if (!written().equals(joined())) throw new Error('the lines that are compared with are not the same')
    const times = small ? 2 : 300
    const pairs = await alternate({
      ...{ rounds: small ? rounds : Math.max(rounds, 15), signal },
      ours: async () => perSecond(written, times),
      theirs: async () => perSecond(joined, times),
    })
    const { median: ratio, least, most } = ratiosOf(pairs, (rate) => rate)
    const [ours, theirs] = [median(pairs.map((pair) => pair.ours)), median(pairs.map((pair) => pair.theirs))]
    report(`${Math.round(ours)} playlists a second, ${Math.round(theirs)} joined`)
    return {
      ratio,
      ...{ ratioLeast: least, ratioMost: most, segments: segmentCount, bytes: written().length },
      ...{ perSecond: Math.round(ours), joinedPerSecond: Math.round(theirs), msEach: rounded(1000 / ours) },
    }
  },
}

/** By processor time of this process, which others on the machine do not stretch. */
function perSecond(make: () => Buffer, times: number): number {
  const before = process.cpuUsage()
  let bytes = 0
  for (let n = 0; n < times; n++) bytes += make().length
  const { user, system } = process.cpuUsage(before)
  if (bytes === 0) throw new Error('nothing was written')
  return (times * 1e6) / Math.max(1, user + system)
}

function joinedLines(track: LoadedTrack, uri: (cid: string, filename: string) => string): string {
  const rendition = renditionOf(track)
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    '#EXT-X-TARGETDURATION:6',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    `#EXT-X-MAP:URI="${uri(rendition.init.data['/'], 'init.mp4')}"`,
  ]
  let ticks = 0
  let end = 0
  for (const [index, [duration, , link]] of rendition.segments.entries()) {
    ticks += duration
    const next = Math.round((ticks / timescale) * 1e6)
    lines.push(`#EXTINF:${(next - end) / 1e6},`, uri(link['/'], segmentFilename(index)))
    end = next
  }
  lines.push('#EXT-X-ENDLIST', '')
  return lines.join('\n')
}

function renditionOf(track: LoadedTrack): LoadedRendition {
  const [rendition] = track.renditions
  if (rendition === undefined) throw new Error('the track has a rendition')
  return rendition
}

/** A track of one rendition whose segments have names, and no bytes. */
function trackOf(segments: number): LoadedTrack {
  const nameOf = (index: number) => cidFromDigest(createHash('sha256').update(`${index}`).digest(), 'raw')
  const rendition: LoadedRendition = {
    ...{ v: 1, kind: 'rendition', codec: 'mp4a.40.2', container: 'fmp4', channels: 2 },
    ...{ sampleRateHz: timescale, averageBandwidth: 160_000, bandwidth: 170_000, timescale },
    init: { data: linkTo(nameOf(-1)), byteLength: 800 },
    segments: Array.from(
      { length: segments },
      (_, index): Segment => [segmentTicks, 120_000, linkTo(nameOf(index))],
    ),
    ...{ cid: cidFromDigest(createHash('sha256').digest(), 'dag-json'), byteLength: 100_000 },
  }
  const durationMs = Math.round((segments * segmentTicks * 1000) / timescale)
  return {
    ...{ cid: rendition.cid, byteLength: 200, renditions: [rendition] },
    manifest: { v: 1, kind: 'track', durationMs, renditions: [linkTo(rendition.cid)] },
  }
}
