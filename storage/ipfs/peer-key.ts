import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { moveDurably, writeSynced } from './durable-file.ts'

/**
 * The key behind the node's peer id, in libp2p's protobuf form, readable by its owner only. Made at first use and
 * synced before it is used: peers know the node by it from then on.
 */
export async function loadOrCreatePeerKey(directory: string): Promise<PrivateKey> {
  const path = join(directory, 'libp2p.key')
  const stored = await readIfPresent(path)
  if (stored !== undefined) return parseKey(path, stored)
  const key = await generateKeyPair('Ed25519')
  const unfinished = `${path}.new`
  await rm(unfinished, { force: true })
  await writeSynced(unfinished, privateKeyToProtobuf(key), 0o600)
  await moveDurably(unfinished, path, directory)
  return key
}

function parseKey(path: string, bytes: Uint8Array): PrivateKey {
  try {
    return privateKeyFromProtobuf(bytes)
  } catch (cause) {
    throw new Error(
      `${path} holds no libp2p key; restore it from a copy, or remove it to become a new peer`,
      { cause },
    )
  }
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
