import { base58btc } from 'multiformats/bases/base58'
import { decode as decodeDigest } from 'multiformats/hashes/digest'

/** A text or bytes that name no libp2p peer. */
export class PeerIdError extends Error {
  override readonly name = 'PeerIdError'
}

/** Of an Ed25519 key it has 52, of an RSA key 46. Reading base58 takes time that grows by the square of the length. */
const longestPeerId = 200

/** The registry's form of a peer id: its multihash in hex.
 * @param text as libp2p writes it, `12D3KooW…`
 * @throws PeerIdError */
export function peerIdToHex(text: string): `0x${string}` {
  try {
    if (text.length > longestPeerId) throw new RangeError('it is too long')
    const bytes = base58btc.decode(`z${text}`)
    decodeDigest(bytes)
    return `0x${Buffer.from(bytes).toString('hex')}`
  } catch (cause) {
    throw new PeerIdError(`'${text.slice(0, 80)}' is not a peer id such as 12D3KooW…`, { cause })
  }
}

/** Inverse of {@link peerIdToHex}.
 * @returns undefined for bytes that are no multihash: anyone may register what he likes */
export function peerIdFromHex(hex: `0x${string}`): string | undefined {
  const bytes = new Uint8Array(Buffer.from(hex.slice(2), 'hex'))
  try {
    decodeDigest(bytes)
  } catch (error) {
    if (error instanceof Error) return undefined
    throw error
  }
  return base58btc.encode(bytes).slice(1)
}
