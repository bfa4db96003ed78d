import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Address, subjectOf } from '@hexachord/protocol/names'
import { signGrant } from '@hexachord/protocol/offers'
import type { Domain } from '@hexachord/protocol/signing'
import { examplePrivateKey } from '@hexachord/protocol/vectors'
import { Wallet } from 'ethers'
import { checkInit, checkSegment } from '../../../creator-node/importing/check-fragment.ts'
import { readTags, resizeCover } from '../../../creator-node/tags/index.ts'
import { readInitSection, segmentTicks } from '../../../creator-node/transcoding/fmp4/index.ts'
import { guessSource } from '../../../creator-node/transcoding/guess-source.ts'
import { parseLoudness } from '../../../creator-node/transcoding/loudness.ts'
import { readProbeAnswer } from '../../../creator-node/transcoding/probe.ts'
import { missingWavBytes } from '../../../creator-node/transcoding/wav-length.ts'
import { type AdmitOptions, checkUpload } from '../../../creator-node/uploads/admit-upload.ts'
import { makeRecordings } from '../recordings.ts'
import { bytesTarget, named, never, problems, type Target, textTarget } from '../target.ts'

const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 31_337,
  verifyingContract: `0x${'aa'.repeat(20)}`,
}
const now = 1_700_000_000_000
const audience = 'https://node.example'
const key = new Wallet(examplePrivateKey)
const me = key.address.toLowerCase() as Address

/** A node that takes whatever is well-formed and meant for it. */
const admitting = {
  ...{ domain, audience, now: () => now, otherNodes: () => [], freeBytes: async () => 2 ** 40 },
  catalogue: { identity: () => ({ controller: me }), subject: () => undefined },
  gate: { mayPublish: () => true },
  uploads: { countOpen: () => 0 },
  takedowns: { trackDenied: () => undefined },
  limits: { maximumBytes: 2 ** 31, maximumOpen: 9, maximumOpenPerAccount: 9 },
} as unknown as AdmitOptions

const probed = {
  streams: [
    {
      ...{ codec_name: 'flac', codec_type: 'audio', sample_fmt: 's16', sample_rate: '44100', channels: 2 },
      ...{
        bits_per_sample: 0,
        duration: '1.200000',
        bits_per_raw_sample: '16',
        disposition: { attached_pic: 0 },
      },
    },
  ],
  format: { duration: '1.200000', bit_rate: '325480' },
}

export async function targets(folder: string): Promise<readonly Target[]> {
  const { files, pictures, aac, flac } = await makeRecordings(folder)
  const file = path.join(folder, 'upload')
  /** Puts an upload where its readers look for it. */
  const stored = (bytes: Uint8Array) => writeFileSync(file, bytes)
  const recordings = [...files.values()]
  const grant = await signGrant(key, domain, {
    ...{ subject: subjectOf(me, 7n), audience, byteLimit: 5_000_000, expiresAt: now + 1000 },
  })
  const metadata = {
    filename: 'a.flac',
    filetype: 'audio/flac',
    keepOriginal: 'true',
    grant: JSON.stringify(grant),
  }
  return [
    bytesTarget({
      name: 'creator-node/init-section',
      seeds: [aac.init, flac.init],
      refuses: named('Fmp4Error'),
      read(bytes) {
        const { timescale, channels } = readInitSection(bytes)
        assert.ok(timescale > 0 && timescale <= 0xffffffff && channels <= 0xffff)
      },
    }),
    bytesTarget({
      name: 'creator-node/media-segment',
      seeds: [aac.segment, flac.segment],
      refuses: named('Fmp4Error'),
      read: (bytes) => assert.ok(segmentTicks(bytes, 1024) >= 0),
    }),
    ...[aac, flac].map(({ init, segment }, index) => {
      const rendition = readInitSection(init) as never
      const defaults = checkInit(init, rendition)
      const ticks = segmentTicks(segment, defaults.ticks)
      return bytesTarget({
        name: `creator-node/imported-segment-${index === 0 ? 'aac' : 'flac'}`,
        seeds: [segment],
        refuses: named('Fmp4Error'),
        read: (bytes) => checkSegment(bytes, ticks, rendition, defaults),
      })
    }),
    bytesTarget({
      name: 'creator-node/wav-length',
      seeds: [files.get('wav') ?? new Uint8Array()],
      refuses: never,
      async read(bytes) {
        stored(bytes)
        const missing = await missingWavBytes(file)
        assert.ok(missing >= 0 && missing <= 2 ** 33)
      },
    }),
    bytesTarget({
      name: 'creator-node/guess-source',
      seeds: recordings,
      refuses: never,
      async read(bytes) {
        stored(bytes)
        const guess = await guessSource(file)
        if (guess !== undefined) assert.ok(guess.codec.length > 0)
      },
    }),
    bytesTarget({
      name: 'creator-node/tags',
      seeds: recordings,
      refuses: named('TagsUnreadable'),
      async read(bytes) {
        stored(bytes)
        const { tags } = await readTags(file)
        for (const text of [tags.title, tags.artist, tags.album, tags.genre]) {
          assert.ok(
            text === undefined || (text.length <= 200 && text.isWellFormed() && !/\p{Cc}/u.test(text)),
          )
        }
      },
    }),
    bytesTarget({
      name: 'creator-node/cover',
      seeds: pictures,
      refuses: named('CoverUnusable'),
      shortRun: 60,
      async read(bytes) {
        for (const { bytes: image } of await resizeCover(bytes)) assert.ok(image.length <= 1 << 20)
      },
    }),
    textTarget({
      name: 'creator-node/probe-answer',
      seeds: [JSON.stringify(probed)],
      refuses: named('ProgramFailed'),
      read(text) {
        const { streams, format } = readProbeAnswer(text)
        for (const number of [format.duration, ...streams.map(({ channels }) => channels)]) {
          assert.ok(number === undefined || (Number.isFinite(number) && number > 0))
        }
      },
    }),
    textTarget({
      name: 'creator-node/loudness',
      seeds: ['Summary:\n  I:   -14.2 LUFS\n  LRA:   3.1 LU\n  Peak:   -0.3 dBFS\n'],
      refuses: never,
      read(log) {
        const found = parseLoudness(log)
        assert.ok(found === undefined || Object.values(found).every(Number.isSafeInteger))
      },
    }),
    textTarget({
      name: 'creator-node/upload-metadata',
      seeds: [JSON.stringify({ byteLength: 1000, metadata })],
      refuses: (error) => error instanceof SyntaxError || problems(400, 403, 411, 413)(error),
      async read(text) {
        const { byteLength, metadata: given } = Object(JSON.parse(text))
        const upload = await checkUpload({ id: 'one', account: me, byteLength, metadata: given }, admitting)
        assert.equal(upload.subject, grant.subject)
        assert.ok(upload.filename.length <= 255 && upload.byteLength >= 0)
      },
    }),
  ]
}
