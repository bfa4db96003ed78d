import { sha256 } from '@noble/hashes/sha2.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'

/** What judging a chain does a few times for each action. Indexers pass in one that is faster than JavaScript. */
export type Engine = {
  /** @returns 64 lower-case hex digits */
  readonly keccak256: (bytes: Uint8Array) => string
  /** @param data a text stands for its UTF-8
   * @returns 64 lower-case hex digits */
  readonly sha256: (data: Uint8Array | string) => string
  /** @param digits pairs of hex digits
   * @throws an error of no special kind for anything else */
  readonly bytesOf: (digits: string) => Uint8Array
}

export const javaScriptEngine: Engine = {
  keccak256: (bytes) => bytesToHex(keccak_256(bytes)),
  sha256: (data) => bytesToHex(sha256(typeof data === 'string' ? utf8ToBytes(data) : data)),
  bytesOf: hexToBytes,
}
