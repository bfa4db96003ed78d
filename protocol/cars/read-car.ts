import { bytesReader, readHeader } from '@ipld/car/decoder'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { CidError, CidMismatch, maximumBlockBytes, parseCid, verifyBlock } from '../cids/index.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'

/** Bytes that are no CAR which this network can use; the message says why, and where. */
export class CarError extends Error {
  override readonly name = 'CarError'
}

/** A block that hashes to its name, and where in the file its bytes lie. */
export type CarBlock = {
  readonly cid: string
  readonly bytes: Uint8Array
  /** Of the first byte of the block. */
  readonly offset: number
  /** Of the first byte behind the block: a file that ends here is complete up to this block. */
  readonly end: number
}

export type Car = {
  readonly roots: readonly string[]
  /** In the order of the file; to be read once. @throws CarError when what comes is no block of this network, has
   * other bytes than its name says, came before or is cut off, and what the source throws */
  readonly blocks: AsyncGenerator<CarBlock, void, undefined>
}

/** A header names one root, hardly two; this is room for a dozen. */
const maximumHeaderBytes = 1024

/** CIDv1, codec (two bytes for dag-json), multihash code and length, digest. */
const maximumNameBytes = 1 + 2 + 2 + 32
const maximumSectionBytes = maximumNameBytes + maximumBlockBytes

/** Two million fit into three groups of seven bits. */
const maximumVarintBytes = 3

/**
 * Opens a CARv1 (https://ipld.io/specs/transport/car/carv1/) as it comes. Memory is that of one block and of the
 * names seen, however long the stream is and whatever lengths it claims: a length is judged before anything is read
 * for it.
 * @param options.maximumBlocks more are refused
 * @throws CarError when it does not begin as one, and what the source throws
 */
export async function openCar(
  source: AsyncIterable<Uint8Array>,
  options: { readonly maximumBlocks: number },
): Promise<Car> {
  const reader = createByteReader(source)
  const roots = await readRoots(reader)
  return { roots, blocks: readBlocks(reader, options.maximumBlocks) }
}

async function readRoots(reader: ByteReader): Promise<string[]> {
  const prefix = await readLength(reader, maximumHeaderBytes, 'the header')
  if (prefix === undefined) throw new CarError('the file is empty')
  const header = await reader.take(prefix.value)
  if (header.length < prefix.value) throw new CarError('the file ends within its header')
  const whole = new Uint8Array([...prefix.bytes, ...header])
  try {
    const { version, roots } = await readHeader(bytesReader(whole), 1)
    if (version !== 1) throw new CarError('it is a CARv2: extract the CARv1 from it')
    return roots.map((root) => parseCid(root.toString(base32)).cid)
  } catch (cause) {
    if (cause instanceof CarError) throw cause
    throw new CarError('the file does not begin as a CARv1 with roots of this network', { cause })
  }
}

async function* readBlocks(
  reader: ByteReader,
  maximumBlocks: number,
): AsyncGenerator<CarBlock, void, undefined> {
  const seen = new Set<string>()
  for (;;) {
    const start = reader.offset
    const prefix = await readLength(reader, maximumSectionBytes, `the section at byte ${start}`)
    if (prefix === undefined) return
    const section = await reader.take(prefix.value)
    if (section.length < prefix.value) {
      throw new CarError(`the file is cut off within the section at byte ${start}`)
    }
    const { cid, bytes } = await readSection(section, start)
    if (seen.has(cid)) throw new CarError(`block ${cid} comes twice`)
    if (seen.size >= maximumBlocks) throw new CarError(`the file holds more than ${maximumBlocks} blocks`)
    seen.add(cid)
    yield { cid, bytes, offset: reader.offset - bytes.length, end: reader.offset }
  }
}

async function readSection(section: Uint8Array, start: number): Promise<{ cid: string; bytes: Uint8Array }> {
  try {
    const [name, bytes] = CID.decodeFirst(section)
    const { cid } = parseCid(name.toV1().toString(base32))
    if (bytes.length > maximumBlockBytes) throw new CarError(`block ${cid} is larger than 1 MiB`)
    await verifyBlock(cid, bytes)
    return { cid, bytes }
  } catch (cause) {
    if (cause instanceof CarError) throw cause
    if (cause instanceof CidMismatch) throw new CarError(`block ${cause.cid} has other bytes`, { cause })
    const reason = cause instanceof CidError ? cause.message : 'no CID stands there'
    throw new CarError(`the section at byte ${start} is no block of this network: ${reason}`, { cause })
  }
}

/** An unsigned LEB128 length. @returns undefined at the end of the stream @throws CarError above the limit */
async function readLength(
  reader: ByteReader,
  limit: number,
  of: string,
): Promise<{ value: number; bytes: number[] } | undefined> {
  const bytes: number[] = []
  let value = 0
  for (;;) {
    const [byte] = await reader.take(1)
    if (byte === undefined) {
      if (bytes.length === 0) return undefined
      throw new CarError('the file is cut off within a length')
    }
    bytes.push(byte)
    value += (byte & 0x7f) * 128 ** (bytes.length - 1)
    if (value > limit || (byte >= 0x80 && bytes.length >= maximumVarintBytes)) {
      throw new CarError(`${of} claims more than the ${limit} bytes that it can have`)
    }
    if (byte < 0x80) break
  }
  if (value === 0) throw new CarError(`${of} has no length`)
  return { value, bytes }
}
