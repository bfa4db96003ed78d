import { randomBytes, randomInt } from 'node:crypto'
import { parsed } from '@hexachord/protocol/checked'
import { blocksOf } from '@hexachord/protocol/manifests'
import type { Address, Hash } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import {
  type HeldTrack,
  maximumProofBlocks,
  type ProofRequest,
  proofHash,
  proofSchema,
  proofSigner,
} from '@hexachord/protocol/receipts'
import type { Domain } from '@hexachord/protocol/signing'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import type { NodeClient } from '@hexachord/storage/peers'
import { loadLocalTrack } from '@hexachord/storage/tracks'

/** Long enough to read eight blocks from a busy disk; too short to fetch them from elsewhere at leisure. */
const answerMs = 10_000
const answerBytes = 4_096

export type ChallengeDependencies = {
  ipfs: Pick<IpfsNode, 'get'>
  client: NodeClient
  domain: Domain
  /** This node's operator. */
  self: Address
}

/**
 * Has another operator prove that it holds a track of which there is a copy here: random blocks of it, hashed with a
 * fresh nonce, checked against this node's own bytes and the operator's registered key.
 * @returns undefined when it is proved, or why not
 * @throws IncompleteTrack, BlockNotFound when the copy here is damaged: then nothing can be checked
 */
export async function challenge(
  operator: Operator,
  { subject, manifest }: HeldTrack,
  { ipfs, client, domain, self }: ChallengeDependencies,
  signal: AbortSignal,
): Promise<string | undefined> {
  const track = await loadLocalTrack(ipfs, manifest, { signal })
  const nonce: Hash = `0x${randomBytes(32).toString('hex')}`
  const blocks = pick(blocksOf(track).map(({ cid }) => cid))
  const request: ProofRequest = { subject, manifest, nonce, blocks }
  const expected = await proofHash(nonce, readAll(ipfs, blocks, signal))
  try {
    const response = await client(operator.endpoint, '/proofs', {
      json: request,
      signal,
      timeoutMs: answerMs,
      maxBytes: answerBytes,
    })
    const text = await response.text()
    if (response.status !== 200) return `it answers ${response.status}`
    const proof = parsed(proofSchema, JSON.parse(text))
    if (proof.answer !== expected) return 'its blocks are others than ours'
    const context = { operator: operator.operator, asker: self, subject, manifest, nonce, answer: expected }
    return proofSigner(context, proof.signature, domain) === operator.hotKey
      ? undefined
      : 'its proof was not signed by its registered key'
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof Error ? error.message : String(error)
  }
}

/** Different ones, by a generator that nobody can foresee. */
function pick(cids: readonly string[]): string[] {
  const left = [...new Set(cids)]
  const picked: string[] = []
  while (left.length > 0 && picked.length < maximumProofBlocks) {
    picked.push(...left.splice(randomInt(left.length), 1))
  }
  return picked
}

async function* readAll(
  ipfs: Pick<IpfsNode, 'get'>,
  cids: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const cid of cids) yield await ipfs.get(cid, { signal })
}
