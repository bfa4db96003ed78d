import { hexlify } from 'ethers'
import type { Json } from '../canonical/index.ts'
import { cidOf } from '../cids/index.ts'
import { blocksOf } from '../manifests/index.ts'
import { masterPlaylist, mediaPlaylist } from '../playlists/index.ts'
import { type Entry, hashBlock, leafBytes, proveLeaf, storageRoot } from '../storage-root/index.ts'
import { type ExampleTrack, exampleBytes, exampleTrack } from './example-track.ts'

/** Roots of blocks around the sizes at which a tree grows. */
export async function blockRoots(): Promise<Json> {
  const lengths = [1, 255, 256, 257, 512, 513, 1024, 1025, 4097, 65_536, 1_048_575, 1_048_576]
  return {
    bytes: 'byte i of a block is (i * i + 31 * i) mod 251',
    leafBytes,
    blocks: await Promise.all(
      lengths.map(async (byteLength) => {
        const bytes = exampleBytes(byteLength, 0)
        const { root, leafCount } = hashBlock(bytes)
        return { byteLength, leafCount, root, cid: await cidOf(bytes, 'raw') }
      }),
    ),
  }
}

/** The same with the file of which it was made. */
export async function trackWithOriginalVector(): Promise<Json> {
  return vectorOf(await exampleTrack({ original: true }))
}

/** A whole small track: its blocks in the order of the storage root, that root with one proof, and playlists. */
export async function trackVector(): Promise<Json> {
  return vectorOf(await exampleTrack())
}

async function vectorOf({ track, blocks }: ExampleTrack): Promise<Json> {
  const block = (cid: string) => blocks.get(cid) ?? new Uint8Array()
  const entries = blocksOf(track).map(
    ({ cid, byteLength }): Entry => ({ cid, byteLength, root: hashBlock(block(cid)).root }),
  )
  const total = storageRoot(entries)
  const leafIndex = Math.floor(total.leafCount / 2)
  const proof = await proveLeaf(entries, leafIndex, async (cid) => block(cid))
  return {
    manifest: track.cid,
    blocks: entries.map((entry) => ({ ...entry, bytes: hexlify(block(entry.cid)) })),
    storageRoot: total,
    proof: { leafIndex, ...proof, leaf: hexlify(proof.leaf) },
    masterPlaylist: masterPlaylist(track, {
      renditionUris: (_, name) => [1, 2].map((n) => `https://node${n}.example/hls/${track.cid}/${name}.m3u8`),
    }),
    mediaPlaylists: track.renditions.map((_, index) =>
      mediaPlaylist(track, index, {
        segmentUri: (cid, filename) => `/ipfs/${cid}?filename=${filename}`,
        initUri: (cid, filename) => `/ipfs/${cid}?filename=${filename}`,
      }),
    ),
  }
}
