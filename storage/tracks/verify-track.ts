import { setTimeout as delay } from 'node:timers/promises'
import { blocksOf } from '@hexachord/protocol/manifests'
import pLimit from 'p-limit'
import type { IpfsNode } from '../ipfs/index.ts'
import { isTrackFault, loadLocalTrack, type TrackBlock } from './inspect-track.ts'

/** What hashing every block of a track has shown. */
export type TrackVerdict = {
  blocks: number
  bytes: number
  corrupt: number
  missing: number
}

/** Blocks read at one time: while one is hashed the disk reads the next. */
const readsAtOnce = 3

/**
 * Hashes every block of a track on this node's disk, at a bounded rate. Corrupt ones are moved aside by the IPFS node.
 * A manifest or rendition that is missing or is none counts as one missing block: nobody can say what else belongs to
 * the track.
 * @param options.bytesPerSecond as fast as the disk gives them when it is infinite
 * @throws the signal's reason, and what the IPFS node throws while it cannot read: that says nothing about the track
 */
export async function verifyTrack(
  ipfs: Pick<IpfsNode, 'get' | 'verify'>,
  manifest: string,
  options: { bytesPerSecond: number; signal: AbortSignal },
): Promise<TrackVerdict> {
  const { bytesPerSecond, signal } = options
  const verdict: TrackVerdict = { blocks: 0, bytes: 0, corrupt: 0, missing: 0 }
  const blocks = await blocksToVerify(ipfs, manifest, signal)
  if (blocks === undefined) return { ...verdict, missing: 1 }
  const limit = pLimit(readsAtOnce)
  /** When all that was begun so far may be over, by the rate. */
  let dueAt = performance.now()
  const look = async ({ cid, byteLength }: TrackBlock) => {
    signal.throwIfAborted()
    dueAt = Math.max(dueAt, performance.now()) + (byteLength / bytesPerSecond) * 1000
    const until = dueAt
    const found = await ipfs.verify(cid, { signal })
    if (found !== 'ok') verdict[found] += 1
    verdict.blocks += 1
    verdict.bytes += byteLength
    const early = until - performance.now()
    if (early >= 1) await delay(early, undefined, { signal })
  }
  const outcomes = await Promise.allSettled(blocks.map((block) => limit(() => look(block))))
  signal.throwIfAborted()
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return verdict
}

async function blocksToVerify(
  ipfs: Pick<IpfsNode, 'get'>,
  manifest: string,
  signal: AbortSignal,
): Promise<TrackBlock[] | undefined> {
  try {
    return blocksOf(await loadLocalTrack(ipfs, manifest, { signal }))
  } catch (error) {
    signal.throwIfAborted()
    if (isTrackFault(error)) return undefined
    throw error
  }
}
