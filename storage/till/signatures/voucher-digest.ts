import type { Address } from '@hexachord/protocol/names'
import { type Domain, messageTypes } from '@hexachord/protocol/signing'
import { TypedDataEncoder } from 'ethers'
import { createKeccak } from 'hash-wasm'

/** A voucher but for whom it is sent to; `lines` in hex with `0x`, as they are packed. */
export type VoucherFields = {
  readonly payer: Address
  readonly base: bigint
  readonly cumulative: bigint
  readonly lines: string
}

const wordBytes = 32
const addressOffset = 12
const halfOfWord = 0xffff_ffff_ffff_ffffn

/**
 * EIP-712 digests of vouchers for one node, the same as `digestOf` gives in a tenth of the time: all but four fields is
 * the same each time, and WebAssembly hashes.
 * @param domain the escrow's
 */
export async function createVoucherDigest(
  domain: Domain,
  node: Address,
): Promise<(voucher: VoucherFields) => Uint8Array> {
  const keccak = await createKeccak(256)
  const hash = (bytes: Uint8Array): Uint8Array => keccak.init().update(bytes).digest('binary')
  const type = `Voucher(${messageTypes.Voucher.map((field) => `${field.type} ${field.name}`).join(',')})`
  // Type ‖ payer ‖ node ‖ base ‖ cumulative ‖ lines, each a word; only what differs is written again.
  const struct = Buffer.alloc(6 * wordBytes)
  struct.set(hash(Buffer.from(type)), 0)
  struct.write(node.slice(2), 2 * wordBytes + addressOffset, 'hex')
  const signed = Buffer.alloc(2 + 2 * wordBytes)
  signed.write(`1901${TypedDataEncoder.hashDomain(domain).slice(2)}`, 'hex')

  function writeAmount(amount: bigint, word: number): void {
    struct.writeBigUInt64BE(amount >> 64n, word * wordBytes + 16)
    struct.writeBigUInt64BE(amount & halfOfWord, word * wordBytes + 24)
  }

  return ({ payer, base, cumulative, lines }) => {
    struct.write(payer.slice(2), wordBytes + addressOffset, 'hex')
    writeAmount(base, 3)
    writeAmount(cumulative, 4)
    struct.set(hash(Buffer.from(lines.slice(2), 'hex')), 5 * wordBytes)
    signed.set(hash(struct), 2 + wordBytes)
    return hash(signed)
  }
}
