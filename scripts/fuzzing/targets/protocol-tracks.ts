import assert from 'node:assert/strict'
import {
  type Carried,
  carFileOf,
  carHeader,
  carriedOrder,
  carSection,
  decodeCarried,
  encodeCarried,
  openCar,
  readCarriedTrack,
} from '@hexachord/protocol/cars'
import { cidOf, parseCid } from '@hexachord/protocol/cids'
import {
  blocksOf,
  decodeManifest,
  decodeOriginalList,
  decodeRendition,
  encodeManifest,
  encodeOriginalList,
  encodeRendition,
  loadTrack,
  originalFilename,
  renditionName,
} from '@hexachord/protocol/manifests'
import { masterPlaylist, mediaPlaylist } from '@hexachord/protocol/playlists'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { bytesTarget, named, never, type Target, textTarget } from '../target.ts'

const blockErrors = named('ManifestError', 'CidError')
const carErrors = named('CarError', 'ManifestError', 'CidError')

export async function targets(): Promise<readonly Target[]> {
  const { track, blocks } = await exampleTrack({ original: true })
  const bytesOf = (cid = '') => blocks.get(cid) ?? new Uint8Array()
  const rendition = track.renditions[0]?.cid ?? ''
  const carried: Carried = {
    manifest: track.cid,
    details: { title: 'Ut queant laxis', artist: 'Guido', licence: 'CC0-1.0', tags: ['hymn'] },
    origin: {
      chainId: 31_337,
      catalog: `0x${'ca'.repeat(20)}`,
      subject: `0x${'01'.repeat(20)}-7`,
      action: `0x${'ab'.repeat(32)}`,
    },
  }
  const root = await cidOf(encodeCarried(carried), 'dag-json')
  const get = (cid: string) => (cid === root ? encodeCarried(carried) : bytesOf(cid))
  const order = await carriedOrder(root, async (cid) => get(cid))
  const car = joined([carHeader([root]), ...order.flatMap((cid) => carSection(cid, get(cid)))])
  return [
    blockTarget('protocol/tracks/manifest', [bytesOf(track.cid)], decodeManifest, encodeManifest),
    blockTarget('protocol/tracks/rendition', [bytesOf(rendition)], decodeRendition, encodeRendition),
    blockTarget(
      'protocol/tracks/original-list',
      [bytesOf(track.original?.cid)],
      decodeOriginalList,
      encodeOriginalList,
    ),
    blockTarget('protocol/tracks/carried', [encodeCarried(carried)], decodeCarried, encodeCarried, carErrors),
    bytesTarget({
      name: 'protocol/tracks/load-track',
      seeds: [bytesOf(rendition)],
      refuses: blockErrors,
      // One of the renditions is a stranger's: what is taken of it must make playlists and a list of blocks.
      async read(bytes) {
        const loaded = await loadTrack(track.cid, async (cid) => (cid === rendition ? bytes : bytesOf(cid)))
        const cids = blocksOf(loaded).map(({ cid }) => parseCid(cid).cid)
        assert.equal(new Set(cids).size, cids.length)
        mediaPlaylist(loaded, 0, { segmentUri: (cid) => cid, initUri: (cid) => cid })
        masterPlaylist(loaded, { renditionUris: (index) => [renditionName(loaded, index)] })
      },
    }),
    bytesTarget({
      name: 'protocol/tracks/car',
      seeds: [car, joined([carHeader([root]), ...carSection(root, get(root))])],
      refuses: carErrors,
      async read(bytes) {
        const { blocks: found } = await openCar(carFileOf(bytes).stream(), { maximumBlocks: 1000 })
        for await (const { cid, bytes: block, offset, end } of found) {
          assert.equal(await cidOf(block, parseCid(cid).codec), cid)
          assert.equal(end - offset, block.length)
        }
      },
    }),
    bytesTarget({
      name: 'protocol/tracks/carried-track',
      seeds: [car],
      refuses: carErrors,
      shortRun: 150,
      // Every byte of a file that is taken is vouched for by a hash, but for the way in which its header is written.
      async read(bytes) {
        const found = await readCarriedTrack(carFileOf(bytes))
        assert.equal(found.root, root)
      },
    }),
    textTarget({
      name: 'protocol/tracks/original-filename',
      seeds: ['Ut queant laxis.flac', 'C:\\Music\\a.wav', '../../etc/passwd', 'a\0b.mp3'],
      refuses: never,
      read(name) {
        const safe = originalFilename(name)
        assert.ok(safe.length > 0 && safe.length <= 255 && safe.isWellFormed())
        assert.ok(
          !/[/\\\p{Cc}]/u.test(safe.replaceAll(/[\u0080-\u009f]/g, '')) && safe !== '.' && safe !== '..',
        )
        assert.equal(originalFilename(safe), safe)
      },
    }),
  ]
}

/** Blocks whose value is written as the very bytes that were read. */
function blockTarget<T>(
  name: string,
  seeds: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => T,
  encode: (value: T) => Uint8Array,
  refuses = blockErrors,
): Target {
  return bytesTarget({
    ...{ name, seeds, refuses },
    read: (bytes) => assert.deepEqual(Buffer.from(encode(decode(bytes))), Buffer.from(bytes)),
  })
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
