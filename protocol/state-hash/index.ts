import { getBytes, sha256 } from 'ethers'
import { type Change, type VerdictName, verdictCodes } from '../actions/index.ts'
import { encodeCanonicalJson } from '../canonical/index.ts'
import type { Hash } from '../names/index.ts'
import type { ChainLog } from '../operators/index.ts'

/** The hash before the first block with logs. */
export const genesisStateHash: Hash = `0x${'0'.repeat(64)}`

/** What one log of a block did. */
export type Effect = {
  readonly logIndex: number
  /** The action's hash, or {@link logDigest} of a log that is no action. */
  readonly digest: Hash
  readonly verdict: VerdictName
  readonly changes: readonly Change[]
}

/** H_n = sha256(H_{n-1} ‖ rules version u32 ‖ block number u64 ‖ block hash ‖ per log, in order:
 * log index u32 ‖ digest ‖ verdict code u16 ‖ sha256(canonical JSON of the changes)), all big-endian.
 * Taken for every block that has logs of the network, and only for those. */
export function nextStateHash(
  previous: Hash,
  block: { rulesVersion: number; number: number; hash: Hash },
  effects: readonly Effect[],
): Hash {
  const bytes = new Uint8Array(32 + 4 + 8 + 32 + effects.length * 70)
  const data = new DataView(bytes.buffer)
  bytes.set(getBytes(previous), 0)
  data.setUint32(32, block.rulesVersion)
  data.setBigUint64(36, BigInt(block.number))
  bytes.set(getBytes(block.hash), 44)
  effects.forEach((effect, index) => {
    const at = 76 + index * 70
    data.setUint32(at, effect.logIndex)
    bytes.set(getBytes(effect.digest), at + 4)
    data.setUint16(at + 36, verdictCodes[effect.verdict])
    bytes.set(getBytes(sha256(encodeCanonicalJson(effect.changes))), at + 38)
  })
  return sha256(bytes) as Hash
}

/** Stands for a log that is no action (an operator's): sha256(address ‖ topics ‖ data). */
export function logDigest(log: Pick<ChainLog, 'address' | 'topics' | 'data'>): Hash {
  return sha256(`0x${[log.address, ...log.topics, log.data].map((hex) => hex.slice(2)).join('')}`) as Hash
}
