import * as z from 'zod'
import { checked } from '../checked/index.ts'
import {
  dagJsonLinkSchema,
  decodeDagJson,
  encodeDagJson,
  linksOf,
  linkTo,
  maximumBlockBytes,
  parseCid,
  verifyBlock,
} from '../cids/index.ts'
import { blocksOf, type LoadedTrack, loadTrack } from '../manifests/index.ts'
import { type Hash, hashSchema, type Subject, subjectSchema } from '../names/index.ts'
import { hashBlock, type Sha256, type StorageRoot, storageRoot } from '../storage-root/index.ts'
import { CarError, openCar } from './read-car.ts'

/** Text as an action may hold it; the rule of tracks judges it again when it is published. */
const text = z.string().max(5000)

const detailsSchema = z.strictObject({
  title: text,
  artist: text,
  album: text.optional(),
  genre: text.optional(),
  mood: text.optional(),
  tags: z.array(text).max(50).optional(),
  description: text.optional(),
  isrc: text.optional(),
  licence: text,
})

const carriedSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('carried'),
  manifest: dagJsonLinkSchema,
  details: detailsSchema,
  /** Where it was published: chain, Catalog, and the action that last said so. */
  origin: z.strictObject({
    chainId: z.int().positive(),
    catalog: z.string().regex(/^0x[0-9a-f]{40}$/),
    subject: subjectSchema,
    action: hashSchema,
  }),
})

/** What was said of a track where it was published. Words of whoever made the file, for whoever takes it in. */
export type CarriedDetails = z.infer<typeof detailsSchema>

/** The root block of a track that is carried away: the manifest, and what was published about it. A link, so that the
 * root names all of the file, and whoever pins it keeps the music. */
export type Carried = {
  readonly manifest: string
  readonly details: CarriedDetails
  readonly origin: {
    readonly chainId: number
    readonly catalog: string
    readonly subject: Subject
    readonly action: Hash
  }
}

/** @throws CarError when it is not one */
export function encodeCarried({ manifest, details, origin }: Carried): Uint8Array {
  const value = { v: 1, kind: 'carried', manifest: linkTo(manifest), details, origin }
  return encodeDagJson(parseCarried(value))
}

/** @throws CarError, CidError */
export function decodeCarried(bytes: Uint8Array): Carried {
  const { manifest, details, origin } = parseCarried(decodeDagJson(bytes))
  return { manifest: manifest['/'], details, origin }
}

function parseCarried(value: unknown): z.infer<typeof carriedSchema> {
  const result = checked(carriedSchema, value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new CarError(`not a carried track: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim())
}

/** A whole track in a CAR, every block of it checked. */
export type CarriedTrack = {
  /** The root of the CAR. */
  readonly root: string
  readonly storage: StorageRoot
  /** Undefined in a CAR whose root is the manifest itself, as a gateway gives it. */
  readonly carried: Carried | undefined
  readonly track: LoadedTrack
  /** Reads a block of the CAR once more, and hashes it once more, since files change.
   * @throws CarError when the CAR has no such block, CidMismatch */
  block(cid: string): Promise<Uint8Array>
}

/** A file that can be read at any place, as often as is wanted. */
export type CarFile = {
  stream(): AsyncIterable<Uint8Array>
  read(offset: number, length: number): Promise<Uint8Array>
}

/** Twelve renditions of 12,000 segments, each with its block and its init, an original of 16 GiB, and what stands
 * beside them. */
const maximumTrackBlocks = 12 * 12_002 + 16_384 + 16

/**
 * Checks a whole track in a CAR and changes nothing: every block hashes to its name, the one root leads to a track,
 * and the file holds each block of that track, once, with the length that the manifest says, and no other block.
 * Memory: names and places of the blocks, about 150 bytes each.
 * @param options.sha256 for the storage root; a server passes the processor's own
 * @throws CarError, ManifestError, CidError, and what the file throws
 */
export async function readCarriedTrack(
  file: CarFile,
  { signal, sha256 }: { signal?: AbortSignal | undefined; sha256?: Sha256 } = {},
): Promise<CarriedTrack> {
  const { roots, blocks } = await openCar(file.stream(), { maximumBlocks: maximumTrackBlocks })
  const [root, ...others] = roots
  if (root === undefined || others.length > 0) {
    throw new CarError(`the file has ${roots.length} roots; a track has one`)
  }
  const places = new Map<string, Place>()
  for await (const { cid, bytes, offset } of blocks) {
    signal?.throwIfAborted()
    if (bytes.length === 0) throw new CarError(`block ${cid} is empty`)
    places.set(cid, { offset, byteLength: bytes.length, root: hashBlock(bytes, sha256).root })
  }
  const block = async (cid: string): Promise<Uint8Array> => {
    const place = places.get(cid)
    if (place === undefined) throw new CarError(`the file is incomplete: block ${cid} is missing`)
    const bytes = await file.read(place.offset, place.byteLength)
    await verifyBlock(cid, bytes)
    return bytes
  }
  const carried = await carriedAt(root, block)
  const track = await loadTrack(carried?.manifest ?? root, block)
  const listed = blocksOf(track)
  const entries = listed.map(({ cid, byteLength }) => {
    const place = places.get(cid)
    if (place === undefined) throw new CarError(`the file is incomplete: block ${cid} is missing`)
    if (place.byteLength !== byteLength) {
      throw new CarError(`block ${cid} has ${place.byteLength} bytes, the manifest says ${byteLength}`)
    }
    return { cid, byteLength, root: place.root }
  })
  const named = new Set([root, ...listed.map(({ cid }) => cid)])
  const stranger = [...places.keys()].find((cid) => !named.has(cid))
  if (stranger !== undefined)
    throw new CarError(`the file holds block ${stranger}, which its track does not name`)
  return { root, storage: storageRoot(entries), carried, track, block }
}

type Place = { readonly offset: number; readonly byteLength: number; readonly root: Hash }

async function carriedAt(
  root: string,
  block: (cid: string) => Promise<Uint8Array>,
): Promise<Carried | undefined> {
  if (parseCid(root).codec !== 'dag-json') throw new CarError(`the root ${root} names bytes, and no track`)
  const bytes = await block(root)
  const value = decodeDagJson(bytes)
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined
  return kind === 'carried' ? decodeCarried(bytes) : undefined
}

/**
 * Every block below a carried track's root, the root first, depth first in the order in which links stand in blocks:
 * the order in which any IPFS tool writes this DAG.
 * @param get verified bytes of the dag-json blocks
 * @throws CidError, and what `get` throws
 */
export async function carriedOrder(
  root: string,
  get: (cid: string) => Promise<Uint8Array>,
): Promise<string[]> {
  const order = new Set<string>()
  const ahead = [root]
  for (let cid = ahead.pop(); cid !== undefined; cid = ahead.pop()) {
    if (order.has(cid)) continue
    if (order.size > maximumTrackBlocks) throw new CarError(`${root} leads to more blocks than a track has`)
    order.add(cid)
    if (parseCid(cid).codec === 'dag-json') ahead.push(...linksOf(cid, await get(cid)).reverse())
  }
  return [...order]
}

/** For tests and tools that have a CAR in memory. */
export function carFileOf(bytes: Uint8Array): CarFile {
  return {
    async *stream() {
      for (let at = 0; at < bytes.length; at += maximumBlockBytes) {
        yield bytes.subarray(at, at + maximumBlockBytes)
      }
    },
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  }
}
