import { Problem } from '@hexachord/platform/http'
import { CidError, type Codec, parseCid } from '@hexachord/protocol/cids'
import { base36 } from 'multiformats/bases/base36'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { identity } from 'multiformats/hashes/identity'

/** What the CID of a URL names. */
export type RequestedBlock =
  /** A block of the kinds kept here, under its one accepted spelling. */
  | { readonly kind: 'block'; readonly cid: string; readonly codec: Codec }
  /** A raw block whose bytes stand in its name, such as the probe `bafkqaaa`. */
  | { readonly kind: 'inline'; readonly cid: string; readonly bytes: Uint8Array }
  /** A CID like any other, of a kind that is never here. */
  | { readonly kind: 'foreign'; readonly cid: string }

/** The longest of a block of this network, in base32 or shorter ones, has 61. Reading base36 and base58 takes time
 * that grows by the square of their length, so that 10 kB of a URL would hold up everybody for seconds. */
const longestCid = 512

/**
 * Reads a CID in any spelling that gateways accept: base32, base36, base58btc, and version 0.
 * @throws Problem 400
 */
export function readCid(text: string): RequestedBlock {
  try {
    const { cid, codec } = parseCid(text)
    return { kind: 'block', cid, codec }
  } catch (error) {
    if (!(error instanceof CidError)) throw error
  }
  const cid = parseAnyCid(text)
  if (cid.multihash.code === identity.code && cid.code === raw.code) {
    return { kind: 'inline', cid: cid.toString(), bytes: cid.multihash.digest }
  }
  try {
    const ours = parseCid(cid.toV1().toString())
    return { kind: 'block', cid: ours.cid, codec: ours.codec }
  } catch (error) {
    if (error instanceof CidError) return { kind: 'foreign', cid: cid.toString() }
    throw error
  }
}

function parseAnyCid(text: string): CID {
  try {
    if (text.length > longestCid) throw new RangeError('it is too long')
    return text.startsWith(base36.prefix) ? CID.parse(text, base36) : CID.parse(text)
  } catch (cause) {
    throw new Problem({
      status: 400,
      slug: 'malformed-cid',
      title: 'Malformed CID',
      detail: `'${text.slice(0, 80)}' is not a CID; a block of this network is named like bafkrei… or baguqeera…`,
      cause,
    })
  }
}
