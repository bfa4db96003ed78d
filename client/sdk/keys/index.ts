import { type Address, parseAddress } from '@hexachord/protocol/names'
import type { Signer } from '@hexachord/protocol/signing'
import { HDNodeWallet, Mnemonic, Wallet } from 'ethers'

/** Someone who can sign: by a key of ours, or by a wallet in the browser. */
export type Account = { readonly address: Address; readonly signer: Signer }

/** A key that is held here. `words` are there when it was made from 12 words. */
export type HeldKey = Account & { readonly words?: string; readonly privateKey: string }

/** Words, a key file or a password that are not right. */
export class KeyError extends Error {
  override readonly name = 'KeyError'
}

/** BIP-44 path of the first Ethereum account: other wallets find the same address from the same words. */
const path = "m/44'/60'/0'/0/0"

/** The account of a wallet that keeps its key to itself, such as an injected one (EIP-1193):
 * `accountOf(await new BrowserProvider(window.ethereum).getSigner())` with ethers. */
export async function accountOf(signer: Signer): Promise<Account> {
  return { address: parseAddress(await signer.getAddress()), signer }
}

/** An author's account, since the author's keys were rotated to this one: what it does is done in the author's name. Money
 * and what the chain says of owners stay with the key itself. */
export function inNameOf<Held extends Account>(account: Held, author: Address): Held {
  return { ...account, address: author }
}

/** Makes a key with its 12 words (BIP-39). */
export function createKey(): HeldKey {
  return fromWallet(HDNodeWallet.createRandom(undefined, path))
}

/** The key of 12 (or 24) words. @throws KeyError */
export function keyFromWords(words: string): HeldKey {
  const phrase = words.trim().toLowerCase().split(/\s+/).join(' ')
  if (!Mnemonic.isValidMnemonic(phrase)) {
    throw new KeyError('these are not 12 words of a backup: a word is misspelt, missing or out of order')
  }
  return fromWallet(HDNodeWallet.fromPhrase(phrase, undefined, path))
}

/** @param privateKey 0x and 64 hex digits @throws KeyError */
export function keyFromPrivateKey(privateKey: string): HeldKey {
  try {
    return fromWallet(new Wallet(privateKey))
  } catch {
    // The cause would carry the key into logs.
    throw new KeyError('a private key is 0x and 64 hex digits')
  }
}

/** Web3 Secret Storage, version 3 (scrypt), with the words inside when there are some.
 * @param onProgress 0 to 1 */
export async function encryptKey(
  key: HeldKey,
  password: string,
  onProgress?: (part: number) => void,
): Promise<string> {
  if (password.length < 8) throw new KeyError('a password needs 8 characters at least')
  const wallet = key.words ? HDNodeWallet.fromPhrase(key.words, undefined, path) : new Wallet(key.privateKey)
  return wallet.encrypt(password, onProgress)
}

/** Opens Web3 Secret Storage, version 3. @throws KeyError */
export async function decryptKey(
  json: string,
  password: string,
  onProgress?: (part: number) => void,
): Promise<HeldKey> {
  try {
    return fromWallet(await Wallet.fromEncryptedJson(json, password, onProgress))
  } catch (cause) {
    const wrong = cause instanceof Error && /incorrect password/i.test(cause.message)
    throw new KeyError(wrong ? 'the password is wrong' : 'this is no key file (Web3 Secret Storage v3)')
  }
}

function fromWallet(wallet: HDNodeWallet | Wallet): HeldKey {
  const words = wallet instanceof HDNodeWallet ? wallet.mnemonic?.phrase : undefined
  return {
    address: parseAddress(wallet.address),
    signer: wallet,
    privateKey: wallet.privateKey,
    ...(words ? { words } : {}),
  }
}
