import { hexToBytes } from '@noble/hashes/utils.js'
import { type Change, type VerdictName, verdictCodes } from '../actions/index.ts'
import { toCanonicalJson } from '../canonical/index.ts'
import { type Engine, javaScriptEngine } from '../engine/index.ts'
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
  /** sha256 of the canonical JSON of the changes, in hex, where somebody has it already. @default is made of them */
  readonly changesDigest?: string
}

/** H_n = sha256(H_{n-1} ‖ rules version u32 ‖ block number u64 ‖ block hash ‖ per log, in order:
 * log index u32 ‖ digest ‖ verdict code u16 ‖ sha256(canonical JSON of the changes)), all big-endian.
 * Taken for every block that has logs of the network, and only for those. */
export function nextStateHash(
  previous: Hash,
  block: { rulesVersion: number; number: number; hash: Hash },
  effects: readonly Effect[],
  engine: Engine = javaScriptEngine,
): Hash {
  const parts = [
    previous.slice(2) + digitsOf(block.rulesVersion, 4) + digitsOf(block.number, 8) + block.hash.slice(2),
    ...effects.map(
      ({ logIndex, digest, verdict, changes, changesDigest = engine.sha256(toCanonicalJson(changes)) }) =>
        digitsOf(logIndex, 4) + digest.slice(2) + digitsOf(verdictCodes[verdict], 2) + changesDigest,
    ),
  ]
  return `0x${engine.sha256(engine.bytesOf(parts.join('')))}`
}

/** Stands for a log that is no action (an operator's): sha256(address ‖ topics ‖ data). */
export function logDigest(log: Pick<ChainLog, 'address' | 'topics' | 'data'>): Hash {
  const digits = [log.address, ...log.topics, log.data].map((hex) => hex.slice(2)).join('')
  return `0x${javaScriptEngine.sha256(hexToBytes(digits))}`
}

/** A number of so many bytes, big-endian. */
function digitsOf(number: number, bytes: number): string {
  return number.toString(16).padStart(2 * bytes, '0')
}
