import * as dagJson from '@ipld/dag-json'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import * as z from 'zod'
import type { Hash } from '../names/index.ts'

/**
 * Blocks and their names. The network knows two kinds of block: `raw` (audio, pictures: the name is the
 * sha256 of the bytes) and `dag-json` (manifests). A name is CIDv1, sha2-256, base32: `bafkrei…`, `baguqeera…`.
 */
export type Codec = 'raw' | 'dag-json'

/** Largest block, in bytes: 1 MiB passes every bitswap and gateway limit. */
export const maximumBlockBytes = 1 << 20

/** Deepest nesting in a DAG-JSON block. Without a bound, the size of a machine's stack would decide what is one. */
const maximumDepth = 64

const codecCodes = { raw: raw.code, 'dag-json': dagJson.code } as const

/** A text that names no block of this network. */
export class CidError extends Error {
  override readonly name = 'CidError'
}

/** Bytes that do not have the hash that their name says. */
export class CidMismatch extends Error {
  override readonly name = 'CidMismatch'
  readonly cid: string

  constructor(cid: string) {
    super(`the bytes do not hash to ${cid}`)
    this.cid = cid
  }
}

export type ParsedCid = {
  /** The one accepted spelling. */
  readonly cid: string
  readonly codec: Codec
  /** sha2-256, 32 bytes. */
  readonly digest: Uint8Array
}

/** One name is parsed many times within moments, on its way from a list to a source, to the disk and to a pin. */
const parsed = new Map<string, ParsedCid>()
const parsedKept = 1_024

/** @throws CidError unless the text is CIDv1, base32, raw or dag-json, sha2-256 */
export function parseCid(text: string): ParsedCid {
  const known = parsed.get(text)
  if (known !== undefined) return known
  const cid = readCid(text)
  if (parsed.size >= parsedKept) parsed.clear()
  parsed.set(text, cid)
  return cid
}

function readCid(text: string): ParsedCid {
  // The library remembers the spelling that it parsed, padding and all, and would print it again.
  if (!/^b[a-z2-7]{1,99}$/.test(text)) throw new CidError(`'${text.slice(0, 80)}' is not a CID in base32`)
  let cid: CID
  try {
    cid = CID.parse(text, base32)
  } catch (cause) {
    throw new CidError(`'${text.slice(0, 80)}' is not a CID in base32`, { cause })
  }
  const codec = cid.code === raw.code ? 'raw' : cid.code === dagJson.code ? 'dag-json' : undefined
  if (cid.version !== 1 || codec === undefined) {
    throw new CidError(`${text} is not CIDv1 of a raw or dag-json block`)
  }
  if (cid.multihash.code !== sha256.code || cid.multihash.digest.length !== 32) {
    throw new CidError(`${text} is not a sha2-256 CID`)
  }
  return { cid: cid.toString(base32), codec, digest: cid.multihash.digest }
}

export function isCid(text: string): boolean {
  try {
    return parseCid(text).cid === text
  } catch (error) {
    if (error instanceof CidError) return false
    throw error
  }
}

export const cidSchema = z
  .string()
  .max(100)
  .refine(isCid, 'must be a CIDv1 (base32, raw or dag-json, sha2-256)')

/** Name of the bytes. @returns CIDv1 in base32 */
export async function cidOf(bytes: Uint8Array, codec: Codec): Promise<string> {
  return cidFromDigest(await sha256Of(bytes), codec)
}

/** Name of a block with a known sha2-256 digest (32 bytes). */
export function cidFromDigest(digest: Uint8Array, codec: Codec): string {
  return CID.createV1(codecCodes[codec], createDigest(sha256.code, digest)).toString(base32)
}

/** The sha2-256 digest in a name, as the chain carries it. @throws CidError */
export function digestHex(cid: string): Hash {
  return `0x${Array.from(parseCid(cid).digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

/** Checks bytes against their name. @throws CidMismatch, CidError */
export async function verifyBlock(cid: string, bytes: Uint8Array): Promise<void> {
  const { digest } = parseCid(cid)
  const actual = await sha256Of(bytes)
  if (!digest.every((byte, index) => byte === actual[index])) throw new CidMismatch(cid)
}

/** sha2-256, 32 bytes, by WebCrypto (there in Node and in every browser on a secure origin). */
export async function sha256Of(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
}

/** A link inside a DAG-JSON block, in its JSON form. */
export type Link = { readonly '/': string }

export const linkSchema = z.strictObject({ '/': cidSchema })
/** A link to bytes, and one to a block that may itself link on: whoever pins a track follows only the latter. */
export const rawLinkSchema = linkSchema.refine(hasCodec('raw'), 'must link to a raw block')
export const dagJsonLinkSchema = linkSchema.refine(hasCodec('dag-json'), 'must link to a dag-json block')

export function linkTo(cid: string): Link {
  return { '/': parseCid(cid).cid }
}

/** Bytes of a DAG-JSON block: keys sorted, integers only, links as `{"/": cid}`. */
export function encodeDagJson(value: unknown): Uint8Array {
  return dagJson.encode(withCids(value))
}

/** Value of a DAG-JSON block with its links in JSON form. The block must be in canonical form, so that one
 * value has one name. @throws CidError when the bytes are not canonical DAG-JSON */
export function decodeDagJson(bytes: Uint8Array): unknown {
  if (bytes.length > maximumBlockBytes) throw new CidError('the block is larger than 1 MiB')
  let value: unknown
  try {
    value = dagJson.decode(bytes)
    const again = dagJson.encode(value)
    if (again.length !== bytes.length || !again.every((byte, i) => byte === bytes[i])) {
      throw new CidError('not canonical')
    }
  } catch (cause) {
    throw new CidError('the block is not canonical DAG-JSON', { cause })
  }
  return withLinks(value, 0)
}

/** Names that a block links to, in the order in which they stand in it, with repeats. A raw block has none.
 * @throws CidError */
export function linksOf(cid: string, bytes: Uint8Array): string[] {
  if (parseCid(cid).codec === 'raw') return []
  const links: string[] = []
  collectLinks(decodeDagJson(bytes), links)
  return links
}

function collectLinks(value: unknown, into: string[]): void {
  if (isLink(value)) into.push(value['/'])
  else if (Array.isArray(value)) for (const item of value) collectLinks(item, into)
  else if (isObject(value)) for (const item of Object.values(value)) collectLinks(item, into)
}

function withCids(value: unknown): unknown {
  if (isLink(value)) return CID.parse(value['/'], base32)
  if (Array.isArray(value)) return value.map(withCids)
  if (isObject(value)) return mapValues(value, withCids)
  return value
}

function withLinks(value: unknown, depth: number): unknown {
  const cid = CID.asCID(value)
  if (cid !== null) return { '/': spellingOf(cid) }
  if (depth > maximumDepth) throw new CidError(`the block is nested more than ${maximumDepth} deep`)
  if (Array.isArray(value)) return value.map((item) => withLinks(item, depth + 1))
  if (isObject(value)) return mapValues(value, (member) => withLinks(member, depth + 1))
  return value
}

/** The library remembers how a link was spelled, and takes capital letters and padding for its own.
 * @throws CidError for any spelling but the one that the name has */
function spellingOf(link: CID): string {
  const spelled = link.toString()
  if (spelled === CID.create(link.version, link.code, link.multihash).toString()) return spelled
  throw new CidError(`the block is not canonical DAG-JSON: '${spelled.slice(0, 80)}' is spelled otherwise`)
}

function mapValues(value: Record<string, unknown>, map: (member: unknown) => unknown): object {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === undefined ? [] : [[key, map(member)]])),
  )
}

function hasCodec(codec: Codec): (link: Link) => boolean {
  return (link) => isCid(link['/']) && parseCid(link['/']).codec === codec
}

function isLink(value: unknown): value is Link {
  return isObject(value) && Object.keys(value).length === 1 && typeof value['/'] === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}
