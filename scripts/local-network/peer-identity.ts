import { mkdir } from 'node:fs/promises'
import { peerIdToHex } from '@hexachord/storage/peers'
import { loadOrCreatePeerKey } from '../../storage/ipfs/peer-key.ts'

/**
 * The peer id, as the registry holds it, of the node whose data directory this is. The key is made where the
 * node will look for it, since an operator registers before its node has ever run.
 */
export async function readOrMakePeerId(dataDirectory: string): Promise<{ text: string; hex: `0x${string}` }> {
  await mkdir(dataDirectory, { recursive: true })
  const key = await loadOrCreatePeerKey(dataDirectory)
  const text = key.publicKey.toString()
  return { text, hex: peerIdToHex(text) }
}
