import assert from 'node:assert/strict'
import { decodeCanonicalJson, encodeCanonicalJson } from '@hexachord/protocol/canonical'
import {
  cidFromDigest,
  cidOf,
  decodeDagJson,
  encodeDagJson,
  isCid,
  linksOf,
  linkTo,
  parseCid,
} from '@hexachord/protocol/cids'
import { lintPlaylist } from '@hexachord/protocol/hls-lint'
import {
  authorOf,
  numberOf,
  parseAddress,
  parseSubject,
  subjectFromBytes32,
  subjectOf,
  subjectToBytes32,
} from '@hexachord/protocol/names'
import { masterPlaylist, mediaPlaylist } from '@hexachord/protocol/playlists'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { bytesTarget, named, never, type Target, textTarget } from '../target.ts'

const subject = subjectOf(`0x${'a1'.repeat(20)}`, 79_228_162_514_264_337_593_543_950_335n)

export async function targets(): Promise<readonly Target[]> {
  const { track, blocks } = await exampleTrack({ original: true })
  const documents = [...blocks].filter(([cid]) => parseCid(cid).codec === 'dag-json')
  const cids = [
    track.cid,
    ...track.renditions.flatMap(({ segments }) => segments.map(([, , link]) => link['/'])),
  ]
  const uris = { segmentUri: (cid: string) => `/ipfs/${cid}`, initUri: (cid: string) => `/ipfs/${cid}` }
  return [
    bytesTarget({
      name: 'protocol/names/canonical-json',
      seeds: ['{"a":[1,-2,{"b":null}],"z":{},"é":"\\u0001\\n"}', '[true,false,"😀",9007199254740991]'].map(
        (text) => new TextEncoder().encode(text),
      ),
      refuses: named('CanonicalError'),
      read: (bytes) =>
        assert.deepEqual(Buffer.from(encodeCanonicalJson(decodeCanonicalJson(bytes))), Buffer.from(bytes)),
    }),
    bytesTarget({
      name: 'protocol/names/dag-json',
      seeds: [
        ...documents.map(([, bytes]) => bytes),
        encodeDagJson({ a: linkTo(track.cid), b: new Uint8Array([1, 2]), c: [{ d: -1 }] }),
      ],
      refuses: named('CidError'),
      read(bytes) {
        const value = decodeDagJson(bytes)
        // Links to blocks of other networks are read, but none of ours holds one.
        if (linksOf(track.cid, bytes).every(isCid))
          assert.deepEqual(Buffer.from(encodeDagJson(value)), Buffer.from(bytes))
      },
    }),
    textTarget({
      name: 'protocol/names/cid',
      seeds: [...cids, await cidOf(new Uint8Array(), 'raw')],
      refuses: named('CidError'),
      read(text) {
        const { cid, codec, digest } = parseCid(text)
        assert.equal(cid, text)
        assert.equal(cidFromDigest(digest, codec), text)
        assert.ok(isCid(text))
      },
    }),
    textTarget({
      name: 'protocol/names/subject',
      seeds: [subject, `0x${'00'.repeat(20)}-0`],
      refuses: named('NameError'),
      read(text) {
        const parsed = parseSubject(text)
        assert.equal(subjectOf(authorOf(parsed), numberOf(parsed)), text)
        assert.equal(subjectFromBytes32(subjectToBytes32(parsed)), text)
      },
    }),
    textTarget({
      name: 'protocol/names/subject-on-chain',
      seeds: [subjectToBytes32(subject), `0x${'AB'.repeat(32)}`],
      refuses: named('NameError'),
      read: (text) => assert.equal(subjectToBytes32(subjectFromBytes32(text)), text.toLowerCase()),
    }),
    textTarget({
      name: 'protocol/names/address',
      seeds: ['0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', `0x${'a1'.repeat(20)}`],
      refuses: named('NameError'),
      read: (text) => assert.equal(parseAddress(parseAddress(text)), text.toLowerCase()),
    }),
    textTarget({
      name: 'protocol/names/playlist-lint',
      seeds: [
        mediaPlaylist(track, 0, uris),
        masterPlaylist(track, { renditionUris: (_, name) => [`${name}.m3u8`] }),
      ],
      refuses: never,
      read(text) {
        const lines = text.split('\n').length
        for (const { line } of lintPlaylist(text)) assert.ok(line >= 1 && line <= lines + 1)
      },
    }),
  ]
}
