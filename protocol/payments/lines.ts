import { hexlify } from 'ethers'
import type { Address, Hash } from '../names/index.ts'
import { largestAmount } from './terms.ts'

/** An item of a voucher: what is paid for a track. */
export type Line = {
  readonly track: Hash
  /** Whose playlist led there; the zero address for nobody's. */
  readonly curator: Address
  /** In base units of the payment token, below 2^96. */
  readonly amount: bigint
}

/** Lines that no contract would accept. */
export class LinesError extends Error {
  override readonly name = 'LinesError'
}

/** Bytes of a packed line: track (32) ‖ curator (20) ‖ amount (12). */
export const lineBytes = 64

/** Packs lines as vouchers carry them. @throws LinesError when there are none, or an amount is out of range */
export function packLines(lines: readonly Line[]): Uint8Array {
  if (lines.length === 0) throw new LinesError('a voucher has at least one line')
  const packed = new Uint8Array(lines.length * lineBytes)
  for (const [index, { track, curator, amount }] of lines.entries()) {
    if (amount < 0n || amount > largestAmount) throw new LinesError(`an amount is 0 to ${largestAmount}`)
    const hex = track.slice(2) + curator.slice(2) + amount.toString(16).padStart(24, '0')
    if (!/^[0-9a-f]{128}$/.test(hex)) throw new LinesError('track or curator is malformed')
    for (let at = 0; at < lineBytes; at++) {
      packed[index * lineBytes + at] = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16)
    }
  }
  return packed
}

/** @throws LinesError when there are none, or the last is not whole: just then a contract reverts */
export function unpackLines(packed: Uint8Array): Line[] {
  if (packed.length === 0 || packed.length % lineBytes !== 0) {
    throw new LinesError(`lines are a multiple of ${lineBytes} bytes, and not empty`)
  }
  return Array.from({ length: packed.length / lineBytes }, (_, index) => {
    const hex = hexlify(packed.subarray(index * lineBytes, (index + 1) * lineBytes)).slice(2)
    return {
      track: `0x${hex.slice(0, 64)}`,
      curator: `0x${hex.slice(64, 104)}`,
      amount: BigInt(`0x${hex.slice(104)}`),
    }
  })
}
