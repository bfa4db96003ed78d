import { type Address, addressSchema, type Hash, hashSchema } from '@hexachord/protocol/names'
import { type Domain, strictSignature } from '@hexachord/protocol/signing'
import { recoverAddress, TypedDataEncoder } from 'ethers'
import * as z from 'zod'
import { readPaymentHeader } from '../payment-headers.ts'

/**
 * The scheme `exact` of x402 version 2 on EVM chains, by ERC-3009 (https://github.com/coinbase/x402,
 * `specs/schemes/exact/scheme_exact_evm.md`): a buyer signs a transfer, whoever sells sends it.
 */
export type ExactRequirements = {
  readonly scheme: 'exact'
  /** CAIP-2. */
  readonly network: string
  /** In base units of the asset, as is the value that is signed. */
  readonly amount: string
  readonly asset: string
  readonly payTo: string
  readonly maxTimeoutSeconds: number
  /** Of the token's EIP-712 domain. */
  readonly extra: { readonly name: string; readonly version: string }
}

/** A transfer that a buyer has signed. Times in unix seconds. */
export type Authorization = {
  readonly from: Address
  readonly to: Address
  readonly value: bigint
  readonly validAfter: bigint
  readonly validBefore: bigint
  readonly nonce: Hash
  readonly signature: string
}

/** A payment that buys nothing; `reason` as x402 names it. */
export class PurchaseRefused extends Error {
  override readonly name = 'PurchaseRefused'
  readonly reason: string
  readonly payer: Address
  constructor(reason: string, payer: Address, message: string) {
    super(message)
    this.reason = reason
    this.payer = payer
  }
}

const anyAddress = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(addressSchema)
const whole = z
  .string()
  .regex(/^[0-9]{1,78}$/)
  .transform(BigInt)

const paymentSchema = z.object({
  x402Version: z.literal(2),
  accepted: z.object({ scheme: z.literal('exact'), network: z.string() }),
  payload: z.object({
    signature: z.string().max(200),
    authorization: z.object({
      from: anyAddress,
      to: anyAddress,
      value: whole,
      validAfter: whole,
      validBefore: whole,
      nonce: z
        .string()
        .transform((text) => text.toLowerCase())
        .pipe(hashSchema),
    }),
  }),
})

/** Some times what such a payment takes. */
const longestHeader = 8_000

/** What a `PAYMENT-SIGNATURE` header signs. @throws Problem 400 */
export function readExactPayment(header: string, network: string): Authorization {
  const { payload } = readPaymentHeader(header, paymentSchema, { network, longest: longestHeader })
  return { ...payload.authorization, signature: payload.signature }
}

/** https://eips.ethereum.org/EIPS/eip-3009 */
const types = {
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
}

/** What an asset signs for: the domain of another contract than ours. */
type TokenDomain = Omit<Domain, 'name' | 'version'> & ExactRequirements['extra']

/** By how much a buyer's clock may be ahead of ours. */
const clockSkewSeconds = 60n

/** Unix seconds before which an authorization that is good for no longer than `maxTimeoutSeconds` was not signed. */
export function signedAfter(
  { validBefore }: Authorization,
  { maxTimeoutSeconds }: ExactRequirements,
): bigint {
  return validBefore - BigInt(maxTimeoutSeconds) - clockSkewSeconds
}

/**
 * Holds what was signed against what was asked for; what only the chain knows is not looked at. A payment
 * buys until its `validBefore`, for whoever has its header: so that lies no further ahead than `maxTimeoutSeconds`.
 * @param nowSeconds unix
 * @throws PurchaseRefused
 */
export function checkAuthorization(
  authorization: Authorization,
  wanted: ExactRequirements,
  chainId: number,
  nowSeconds: number,
): void {
  const { signature, ...message } = authorization
  const { from, to, value, validAfter, validBefore } = message
  const refuse = (reason: string, detail: string) => new PurchaseRefused(reason, from, detail)
  if (to !== wanted.payTo.toLowerCase()) {
    throw refuse('invalid_exact_evm_payload_recipient_mismatch', `it pays ${to}, not ${wanted.payTo}`)
  }
  if (value !== BigInt(wanted.amount)) {
    throw refuse('invalid_exact_evm_payload_authorization_value', `it pays ${value}, not ${wanted.amount}`)
  }
  const now = BigInt(nowSeconds)
  if (validAfter >= now) {
    throw refuse('invalid_exact_evm_payload_authorization_valid_after', `it is valid after ${validAfter}`)
  }
  if (validBefore <= now) {
    throw refuse('invalid_exact_evm_payload_authorization_valid_before', `it was valid before ${validBefore}`)
  }
  if (signedAfter(authorization, wanted) > now) {
    throw refuse(
      'invalid_exact_evm_payload_authorization_valid_before',
      `it is valid before ${validBefore}, which is more than ${wanted.maxTimeoutSeconds} s from now`,
    )
  }
  const domain: TokenDomain = {
    ...wanted.extra,
    chainId,
    verifyingContract: wanted.asset.toLowerCase() as Address,
  }
  if (signerOf(domain, message, signature) !== from) {
    throw refuse('invalid_exact_evm_payload_signature', `the signature is not by ${from}`)
  }
}

function signerOf(domain: TokenDomain, message: object, signature: string): string | undefined {
  try {
    const parsed = strictSignature(signature)
    return recoverAddress(TypedDataEncoder.hash(domain, types, message), { ...parsed }).toLowerCase()
  } catch {
    // In no form that a token would accept.
    return undefined
  }
}
