import { getBytes, keccak256 } from 'ethers'
import type { LogFilter } from './chain-reader.ts'
import type { ChainLog } from './chain-values.ts'

/** Doubts that a block has none of the logs asked for, when its bloom filter says that it may have some: a node that has a
 * block but not its receipts yet answers with an empty list. */
export type BloomDoubt = {
  /** @param logsBloom of the block; without one there is no doubt */
  isDoubtful(logsBloom: string | undefined, logs: readonly ChainLog[]): boolean
  /** Whether doubts are rare. Where blocks are full, or a chain sets every bit, nearly every block gives rise to one. */
  readonly isTelling: boolean
  /** To be told of each block how it ended: `inVain` when it was doubtful and had no such logs after all. */
  settle(inVain: boolean): void
}

/** So many more blocks with a doubt in vain than without, and doubts are not telling. */
const mostInVain = 20

export function createBloomDoubt({ addresses, narrowed = [] }: LogFilter): BloomDoubt {
  const asked = new Set(addresses.map((address) => address.toLowerCase()))
  /** As they are asked for, each of which may be answered with nothing. */
  const requests = [
    {
      anyOf: [...asked].map((address) => bitsOf([address])),
      gives: (log: ChainLog) => asked.has(log.address),
    },
    ...narrowed.map((wanted) => ({
      anyOf: [bitsOf([wanted.address, ...wanted.topics.filter((topic) => topic !== null)])],
      gives: (log: ChainLog) => isNarrowed(log, wanted),
    })),
  ]
  let inVainMore = 0

  return {
    isDoubtful(logsBloom, logs) {
      if (logsBloom === undefined) return false
      return requests.some(
        ({ anyOf, gives }) =>
          anyOf.some((bits) => bits.every((bit) => isSet(logsBloom, bit))) && !logs.some(gives),
      )
    },
    get isTelling() {
      return inVainMore < mostInVain
    },
    settle(inVain) {
      inVainMore = inVain ? Math.min(mostInVain, inVainMore + 1) : Math.max(0, inVainMore - 1)
    },
  }
}

/** Whether a log is one of those that are asked for by contract and topics. */
export function isNarrowed(
  log: ChainLog,
  { address, topics }: { address: string; topics: readonly (string | null)[] },
): boolean {
  return (
    address.toLowerCase() === log.address &&
    topics.every((topic, at) => topic === null || topic === log.topics[at])
  )
}

/** Ethereum yellow paper 4.3.1: of each address and topic three times eleven bits of its hash, from its first six bytes.
 * `protocol/archives` has this too, to prove logs by; neither may import the other. */
function bitsOf(items: readonly string[]): number[] {
  return items.flatMap((item) => {
    const hash = getBytes(keccak256(item))
    return [0, 2, 4].map((at) => (((hash[at] ?? 0) << 8) | (hash[at + 1] ?? 0)) & 0x7ff)
  })
}

/** Bit 0 is the lowest of the last hex digit. */
function isSet(logsBloom: string, bit: number): boolean {
  const digit = Number.parseInt(logsBloom.charAt(logsBloom.length - 1 - (bit >> 2)), 16)
  return ((digit >> (bit & 3)) & 1) === 1
}
