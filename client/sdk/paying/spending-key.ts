import type { Address } from '@hexachord/protocol/names'
import { type Domain, type Signer, signMessage } from '@hexachord/protocol/signing'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { getBytes, HDNodeWallet, hexlify, toBeHex } from 'ethers'
import { type Account, type HeldKey, keyFromPrivateKey } from '../keys/index.ts'

/** BIP-44 path of the second account: other wallets find it from the same words, and nobody else knows that it is ours. */
const path = "m/44'/60'/1'/0/0"
const label = 'hexachord spending key 1'
/** RFC 9380, section 5: with 16 bytes more than the order has, no scalar is likelier than another. */
const scalarBytes = 48

/** Who pays, and whose signatures spend: the same address, or a session key that the payer has authorized. */
export type Spender = { readonly payer: Address; readonly key: Account }

/**
 * The key that pays for what its owner hears. Vouchers are redeemed on a public chain with their lines, track by track,
 * and stay there for ever: signed by the key under which somebody follows, comments and publishes they would say what
 * that person listens to. So it is another one, and no public statement links the two; whoever sends money from the one
 * to the other makes that link. It comes from the same backup: of keys with words it is the next account (BIP-44), of
 * others HKDF (RFC 5869) of the private key under a fixed label. A wallet that keeps its key to itself gives nothing to
 * derive from: make one by `createKey` and keep it encrypted, or {@link authorizeSpending} a session key.
 */
export function spendingKey(key: HeldKey): HeldKey {
  return keyFromPrivateKey(
    key.words ? HDNodeWallet.fromPhrase(key.words, undefined, path).privateKey : derived(key.privateKey),
  )
}

/** The listener pays by a key of their own. */
export function ownSpender(key: HeldKey): Spender {
  return { payer: key.address, key }
}

/** What `authorizeSessionBySig` of the escrow takes. */
export type SpendingAuthorization = {
  readonly payer: Address
  readonly key: Address
  readonly cap: bigint
  readonly expiry: number
  readonly signature: string
}

/** Lets a session key spend up to a cap of what an account has deposited, by one signature of a wallet: vouchers need no
 * further ones. Everybody can then see that this account paid; see {@link spendingKey}.
 * @param domain of the escrow
 * @param cap what it may reserve in its life, in base units @param expiry last unix second in which it may reserve */
export async function authorizeSpending(
  account: { readonly address: Address; readonly signer: Signer },
  domain: Domain,
  { key, cap, expiry }: { key: Address; cap: bigint; expiry: number },
): Promise<SpendingAuthorization> {
  const message = { payer: account.address, key, cap, expiry }
  return { ...message, signature: await signMessage(account.signer, domain, 'Session', message) }
}

function derived(privateKey: string): string {
  const bytes = hkdf(sha256, getBytes(privateKey), undefined, new TextEncoder().encode(label), scalarBytes)
  const order = secp256k1.Point.Fn.ORDER
  return toBeHex((BigInt(hexlify(bytes)) % (order - 1n)) + 1n, 32)
}
