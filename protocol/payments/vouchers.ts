import type { Address } from '../names/index.ts'
import { type Domain, type Messages, type Recover, SignatureError, signerOf } from '../signing/index.ts'
import { type Line, LinesError, unpackLines } from './lines.ts'

/** What counts for a voucher of its channel; amounts in base units. */
export type ChannelState = {
  /** Whose vouchers may spend the reserve: the payer's own key, or a session key. */
  readonly key: Address
  /** What was reserved less what was released (for a cautious node also less what is being released). */
  readonly limit: bigint
  /** What was settled on the chain. */
  readonly settled: bigint
}

export type VoucherFault =
  | 'ECDSAInvalidSignature'
  | 'StreamReserveExceeded'
  | 'StreamVoucherStale'
  | 'StreamLinesMalformed'
  | 'StreamAmountZero'
  | 'StreamLinesSum'

/** A voucher that StreamEscrow would refuse, with the name of its error. */
export class VoucherError extends Error {
  override readonly name = 'VoucherError'
  readonly fault: VoucherFault
  constructor(fault: VoucherFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}

/**
 * Accepts a voucher just when StreamEscrow would redeem it from a channel in this state.
 * @param domain the escrow's
 * @param signature 65 bytes in hex
 * @param recover a faster engine, where there is one
 * @returns its lines. That their tracks are registered, and what a line must pay, is for the caller to know.
 * @throws VoucherError
 */
export function checkVoucher(
  domain: Domain,
  voucher: Messages['Voucher'],
  signature: string,
  channel: ChannelState,
  recover?: Recover,
): Line[] {
  const signer = signerOfVoucher(domain, voucher, signature, recover)
  // The contract looks up the channel of whoever signed: a stranger has reserved nothing.
  const { limit, settled } = signer === channel.key ? channel : { limit: 0n, settled: 0n }
  const { base, cumulative } = voucher
  if (cumulative > limit) {
    throw new VoucherError('StreamReserveExceeded', `of ${cumulative} its signer has reserved ${limit}`)
  }
  if (base !== settled) {
    throw new VoucherError('StreamVoucherStale', `it begins at ${base}; settled is ${settled}`)
  }
  const lines = linesOf(voucher.lines)
  if (lines.some(({ amount }) => amount === 0n)) {
    throw new VoucherError('StreamAmountZero', 'a line of it pays nothing')
  }
  const sum = lines.reduce((total, { amount }) => total + amount, 0n)
  if (base + sum !== cumulative) {
    throw new VoucherError('StreamLinesSum', `its lines are ${sum}, it adds ${cumulative - base}`)
  }
  return lines
}

function signerOfVoucher(
  domain: Domain,
  voucher: Messages['Voucher'],
  signature: string,
  recover: Recover | undefined,
): Address {
  try {
    return signerOf(domain, 'Voucher', voucher, signature, recover)
  } catch (cause) {
    if (!(cause instanceof SignatureError)) throw cause
    throw new VoucherError('ECDSAInvalidSignature', cause.message, { cause })
  }
}

function linesOf(packed: Uint8Array): Line[] {
  try {
    return unpackLines(packed)
  } catch (cause) {
    if (!(cause instanceof LinesError)) throw cause
    throw new VoucherError('StreamLinesMalformed', cause.message, { cause })
  }
}
