import type { Address } from '@hexachord/protocol/names'
import { type Domain, messageTypes } from '@hexachord/protocol/signing'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { TypedDataEncoder } from 'ethers'

/** A voucher but for whom it is sent to; `lines` as they are packed. */
export type VoucherFields = {
  readonly payer: Address
  readonly base: bigint
  readonly cumulative: bigint
  readonly lines: Uint8Array
}

const wordBytes = 32

/**
 * EIP-712 digests of vouchers for one node, the same as `digestOf` gives in half of the time: all but four fields is
 * the same each time.
 * @param domain the escrow's
 */
export function createVoucherDigest(domain: Domain, node: Address): (voucher: VoucherFields) => Uint8Array {
  const type = `Voucher(${messageTypes.Voucher.map((field) => `${field.type} ${field.name}`).join(',')})`
  // Type ‖ payer ‖ node ‖ base ‖ cumulative ‖ lines, each a word; only what differs is written again.
  const struct = Buffer.alloc(6 * wordBytes)
  struct.set(keccak_256(Buffer.from(type)), 0)
  struct.write(node.slice(2).padStart(64, '0'), 2 * wordBytes, 'hex')
  const signed = Buffer.alloc(2 + 2 * wordBytes)
  signed.write(`1901${TypedDataEncoder.hashDomain(domain).slice(2)}`, 'hex')

  return ({ payer, base, cumulative, lines }) => {
    struct.write(payer.slice(2).padStart(64, '0'), wordBytes, 'hex')
    struct.write(base.toString(16).padStart(64, '0'), 3 * wordBytes, 'hex')
    struct.write(cumulative.toString(16).padStart(64, '0'), 4 * wordBytes, 'hex')
    struct.set(keccak_256(lines), 5 * wordBytes)
    signed.set(keccak_256(struct), 2 + wordBytes)
    return keccak_256(signed)
  }
}
