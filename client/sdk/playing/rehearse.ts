import { checked } from '@hexachord/protocol/checked'
import { cidOf, linkTo } from '@hexachord/protocol/cids'
import { encodeManifest, encodeRendition } from '@hexachord/protocol/manifests'
import { subjectOf } from '@hexachord/protocol/names'
import { pricedTrackSchema } from '@hexachord/protocol/rest'
import type { Http } from '../connect/index.ts'
import { openTrack } from './open-track.ts'

const author = `0x${'00'.repeat(20)}` as const
const hash = `0x${'00'.repeat(32)}` as const
const operator = 'https://operator.hexachord.invalid'

/**
 * Opens a made-up track, asking nobody. Schemas, decoders and playlists are compiled by their first use, which takes
 * a browser up to a tenth of a second: a page that calls this when it has nothing else to do spares its listener that
 * on the first click. Changes nothing; once is enough.
 */
export async function rehearse(): Promise<void> {
  const blocks = await makeTrack()
  const [manifest = ''] = blocks.keys()
  const track = { id: answer.id, manifest, holders: [{ operator: author, endpoint: operator }] }
  // Whether it says all that an answer does is of no account.
  checked(pricedTrackSchema, { ...answer, ...track })
  const http: Http = async (url) => {
    const cid = new URL(String(url)).pathname.slice('/ipfs/'.length)
    return new Response(blocks.get(cid) as BodyInit)
  }
  const opened = await openTrack({ http, creators: [], gateways: [] }, track)
  const name = (index: number) => `${operator}/${index}`
  opened.master(name)
  for (const index of opened.loaded.renditions.keys()) opened.media(index, (cid) => `${operator}/ipfs/${cid}`)
}

/** Its blocks by their names, the manifest first. Silence of no sound at all: only what describes it. */
async function makeTrack(): Promise<Map<string, Uint8Array>> {
  const segment = linkTo(await cidOf(new Uint8Array(), 'raw'))
  const renditions = [96_000, 160_000].map((bandwidth) =>
    encodeRendition({
      ...{ v: 1, kind: 'rendition', codec: 'mp4a.40.2', container: 'fmp4', channels: 2 },
      ...{ sampleRateHz: 48_000, averageBandwidth: bandwidth, bandwidth, timescale: 48_000 },
      init: { data: segment, byteLength: 1 },
      segments: Array.from({ length: 20 }, () => [288_000, 1, segment]),
    }),
  )
  const cids = await Promise.all(renditions.map((bytes) => cidOf(bytes, 'dag-json')))
  const manifest = encodeManifest({
    ...{ v: 1, kind: 'track', durationMs: 120_000 },
    renditions: cids.map(linkTo),
    loudness: { integratedMilliLufs: -14_000, rangeMilliLu: 5_000, truePeakMilliDbtp: -1_000 },
  })
  return new Map([
    [await cidOf(manifest, 'dag-json'), manifest],
    ...cids.map((cid, index) => [cid, renditions[index] ?? manifest] as const),
  ])
}

const answer = {
  ...{ id: subjectOf(author, 1n), author, authorHandle: null, title: '', artist: '', album: null },
  ...{ genre: null, mood: null, tags: ['rehearsal'], description: null, isrc: null, licence: 'CC0-1.0' },
  ...{ unlisted: false, durationMs: 120_000, storageRoot: hash, leafCount: 1, byteLength: 1 },
  ...{ createdAtMs: 0, updatedAtMs: 0, last: { block: 0, logIndex: 0, digest: hash } },
  terms: {
    ...{ version: 1, unitPrice: '1', nodeBps: 0, curatorBps: 0, payees: [{ account: author, bps: 10_000 }] },
    ...{ effectiveAtMs: 0, owner: author, change: null, paidUnits: '0' },
    currency: { token: author, decimals: 6 },
  },
}
