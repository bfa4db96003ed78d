import { createHash } from 'node:crypto'
import { Problem } from '@hexachord/platform/http'
import { carSection } from '@hexachord/protocol/cars'
import { isCid, linksOf, parseCid } from '@hexachord/protocol/cids'
import { createWriter, headerLength } from '@ipld/car/buffer-writer'
import { CID } from 'multiformats/cid'
import { BlockNotFound } from '../ipfs/index.ts'

/** What of a DAG goes into a CAR: the block itself, the file that it is, or all below it. */
export type DagScope = 'block' | 'entity' | 'all'

export type CarRequest = {
  readonly scope: DagScope
  /** First and last byte that are wanted of an entity, both included; negative ones count from its end. */
  readonly bytes: { readonly from: number; readonly to: number } | undefined
}

/** The one form in which CARs are made here, as the content type has to say (IPIP-412). */
export const carContentType = 'application/vnd.ipld.car; version=1; order=dfs; dups=n'

/**
 * Reads what a client wants of a CAR from the URL and from the CAR type in Accept. `entity-bytes` takes nothing out:
 * an entity here is one block, and a block comes whole. Duplicates never come, whatever is asked.
 * @throws Problem 400
 */
export function readCarRequest(query: URLSearchParams, accepted: ReadonlyMap<string, string>): CarRequest {
  const version = query.get('car-version') ?? accepted.get('version') ?? '1'
  if (version !== '1') throw badParameter('car-version', version, '1')
  const order = query.get('car-order') ?? accepted.get('order') ?? 'dfs'
  if (order !== 'dfs' && order !== 'unk') throw badParameter('car-order', order, 'dfs or unk')
  const duplicates = query.get('car-dups') ?? accepted.get('dups') ?? 'n'
  if (duplicates !== 'y' && duplicates !== 'n') throw badParameter('car-dups', duplicates, 'y or n')
  const bytes = readEntityBytes(query.get('entity-bytes'))
  const scope = query.get('dag-scope') ?? (bytes === undefined ? 'all' : 'entity')
  if (scope !== 'block' && scope !== 'entity' && scope !== 'all') {
    throw badParameter('dag-scope', scope, 'block, entity or all')
  }
  return { scope, bytes }
}

function readEntityBytes(text: string | null): CarRequest['bytes'] {
  if (text === null) return undefined
  const [, from, to] = /^(-?\d{1,15}):(\*|-?\d{1,15})$/.exec(text) ?? []
  if (from === undefined) throw badParameter('entity-bytes', text, 'from:to, such as 0:1023 or 0:*')
  return { from: Number(from), to: to === '*' ? -1 : Number(to) }
}

/** Checks that an entity which is `size` bytes long has some of the bytes that are wanted. @throws Problem 400 */
export function requireBytesWithin({ bytes }: CarRequest, size: number): void {
  if (bytes === undefined || size === 0) return
  const place = (offset: number) => (offset < 0 ? size + offset : offset)
  if (place(bytes.from) < size && place(bytes.to) >= 0) return
  throw badParameter('entity-bytes', `${bytes.from}:${bytes.to}`, `within the ${size} bytes that there are`)
}

/** Weak, since another gateway may order the same blocks in another way; different for different selections. */
export function carEtag(blocks: readonly string[], { scope, bytes }: CarRequest): string {
  const target = blocks.at(-1) ?? ''
  if (blocks.length === 1 && scope === 'all' && bytes === undefined) return `W/"${target}.car"`
  const selection = createHash('sha256')
    .update([bytes?.from, bytes?.to, ...blocks].join('\n'))
    .digest('hex')
    .slice(0, 12)
  return `W/"${target}.car.${scope}.${selection}"`
}

/**
 * A CARv1 piece by piece: header, then each block once, depth first, the blocks on the path before what they lead
 * to. A block that cannot be read ends it by an error, so that nobody takes a part for the whole.
 */
export async function* carPieces(
  path: readonly string[],
  { scope }: CarRequest,
  read: (cid: string) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const [root = ''] = path
  yield carHeader(root)
  const seen = new Set<string>()
  for (const cid of path.slice(0, -1)) {
    seen.add(cid)
    yield* carSection(cid, await read(cid))
  }
  const ahead = path.slice(-1)
  for (let cid = ahead.pop(); cid !== undefined; cid = ahead.pop()) {
    if (seen.has(cid)) continue
    seen.add(cid)
    const bytes = await read(cid)
    yield* carSection(cid, bytes)
    if (scope === 'all') ahead.push(...linksOf(cid, bytes).reverse())
  }
}

/**
 * What a CAR will have, as far as that is here: only blocks that link to others are read for it. A block that cannot be
 * read is in the list, and nothing behind it.
 */
export async function carBlocks(
  path: readonly string[],
  { scope }: CarRequest,
  read: (cid: string) => Promise<Uint8Array>,
): Promise<Set<string>> {
  const blocks = new Set(path)
  const ahead = scope === 'all' ? path.slice(-1) : []
  for (let cid = ahead.pop(); cid !== undefined; cid = ahead.pop()) {
    if (!isCid(cid) || parseCid(cid).codec === 'raw') continue
    const bytes = await read(cid).catch(noneIfMissing)
    for (const link of bytes === undefined ? [] : linksOf(cid, bytes)) {
      if (blocks.has(link)) continue
      blocks.add(link)
      ahead.push(link)
    }
  }
  return blocks
}

function noneIfMissing(error: unknown): undefined {
  if (!(error instanceof BlockNotFound)) throw error
}

/** A CAR that holds no block: an inline block is in its own name, and never in a CAR. */
export function carHeader(root: string): Uint8Array {
  const roots = [CID.parse(root)]
  return createWriter(new ArrayBuffer(headerLength({ roots })), { roots }).close()
}

function badParameter(name: string, value: string, allowed: string): Problem {
  return new Problem({
    status: 400,
    slug: 'invalid-parameter',
    title: 'Invalid parameter',
    detail: `${name} is '${value.slice(0, 40)}', and must be ${allowed}`,
  })
}
