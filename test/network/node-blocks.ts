import { verifyBlock } from '@hexachord/protocol/cids'
import { blocksOf, type LoadedTrack, loadTrack } from '@hexachord/protocol/manifests'
import { hashBlock, type StorageRoot, storageRoot } from '@hexachord/protocol/storage-root'

/** A block that this node itself has; it is not to ask others. @throws for an error status or a wrong hash */
export async function blockOf(endpoint: string, cid: string): Promise<Uint8Array> {
  const url = `${endpoint}/ipfs/${cid}?format=raw`
  const response = await fetch(url, {
    headers: { 'cache-control': 'only-if-cached' },
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok)
    throw new Error(`${url} answers ${response.status}: ${(await response.text()).slice(0, 300)}`)
  const bytes = new Uint8Array(await response.arrayBuffer())
  await verifyBlock(cid, bytes)
  return bytes
}

/** Everything of a track that one node serves, each block checked against its hash.
 * @returns the track, how many blocks it has, and the storage root of what the node gave */
export async function wholeTrackOf(
  endpoint: string,
  manifest: string,
): Promise<{ track: LoadedTrack; blocks: number; storage: StorageRoot }> {
  const track = await loadTrack(manifest, (cid) => blockOf(endpoint, cid))
  const blocks = blocksOf(track)
  const entries = await Promise.all(
    blocks.map(async ({ cid, byteLength }) => {
      const bytes = await blockOf(endpoint, cid)
      if (bytes.length !== byteLength) throw new Error(`${cid} has ${bytes.length} bytes, not ${byteLength}`)
      return { cid, byteLength, root: hashBlock(bytes).root }
    }),
  )
  return { track, blocks: blocks.length, storage: storageRoot(entries) }
}
