import { getBytes, keccak256 } from 'ethers'
import { ArchiveError } from './archive-error.ts'

/** Bytes of a block's bloom filter (Ethereum yellow paper 4.3.1). */
const bloomBytes = 256

/**
 * Whether a block's bloom filter allows for a log of one of these contracts. If not, the block has none, for certain;
 * if so, only its receipts tell.
 * @throws ArchiveError when the bloom is none
 */
export function mayHoldLogs(logsBloom: string, contracts: readonly string[]): boolean {
  const bloom = getBytes(logsBloom)
  if (bloom.length !== bloomBytes) throw new ArchiveError(`a bloom filter has ${bloomBytes} bytes`)
  return contracts.some((contract) => bitsOf(contract).every((bit) => isSet(bloom, bit)))
}

/** Three times eleven bits of the hash, from its first six bytes. */
function bitsOf(item: string): number[] {
  const hash = getBytes(keccak256(item))
  return [0, 2, 4].map((at) => (((hash[at] ?? 0) << 8) | (hash[at + 1] ?? 0)) & 0x7ff)
}

/** Bit 0 is the lowest of the last byte. */
function isSet(bloom: Uint8Array, bit: number): boolean {
  return (((bloom[bloomBytes - 1 - (bit >> 3)] ?? 0) >> (bit & 7)) & 1) === 1
}
