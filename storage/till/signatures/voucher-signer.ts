import type { Address } from '@hexachord/protocol/names'
import type { SentVoucher } from '@hexachord/protocol/payments'
import { type Domain, SignatureError, strictSignature } from '@hexachord/protocol/signing'
import { loadNativeRecovery } from './native-recover.ts'
import { createVoucherDigest } from './voucher-digest.ts'

/**
 * Finds whose signature vouchers carry, if they were made out to a node.
 * @param domain the escrow's
 * @returns a function that throws SignatureError for what no contract would accept
 * @throws NativeRecoveryMissing
 */
export function createVoucherSigner(domain: Domain, node: Address): (voucher: SentVoucher) => Address {
  const { signerOf } = loadNativeRecovery()
  const digestOf = createVoucherDigest(domain, node)
  return ({ signature, lines, ...voucher }) => {
    const parsed = strictSignature(signature)
    const digest = digestOf({ ...voucher, lines: Buffer.from(lines.slice(2), 'hex') })
    try {
      return signerOf(digest, parsed)
    } catch (cause) {
      throw new SignatureError('the signature is no point on the curve', { cause })
    }
  }
}
