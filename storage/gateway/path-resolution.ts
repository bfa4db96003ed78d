import { Problem } from '@hexachord/platform/http'
import { CidError, decodeDagJson, isCid, parseCid } from '@hexachord/protocol/cids'

/**
 * Follows a path through dag-json blocks: each segment is a key of a map or an index of a list; at a link the next
 * block begins.
 * @throws Problem 404 where the path leads nowhere, 501 where it ends inside a block
 */
export async function resolvePath(
  root: string,
  segments: readonly string[],
  read: (cid: string) => Promise<Uint8Array>,
): Promise<string[]> {
  const blocks = [root]
  let target = root
  let place: { value: unknown } | undefined
  for (const [index, segment] of segments.entries()) {
    place ??= { value: await documentOf(target, read) }
    const next = member(place.value, segment)
    if (next === undefined) throw noSuchPath(root, segments.slice(0, index + 1))
    const link = linkIn(next.value)
    place = link === undefined ? next : undefined
    if (link !== undefined) {
      target = link
      blocks.push(link)
    }
  }
  if (place !== undefined) throw insideBlock(target)
  return blocks
}

/** Undefined, which is no member of anything, for a block that is no document. */
async function documentOf(cid: string, read: (cid: string) => Promise<Uint8Array>): Promise<unknown> {
  if (!isCid(cid) || parseCid(cid).codec === 'raw') return undefined
  const bytes = await read(cid)
  try {
    return decodeDagJson(bytes)
  } catch (error) {
    if (error instanceof CidError) return undefined
    throw error
  }
}

function member(value: unknown, segment: string): { value: unknown } | undefined {
  if (Array.isArray(value)) {
    const index = /^(0|[1-9]\d{0,8})$/.test(segment) ? Number(segment) : value.length
    return index < value.length ? { value: value[index] } : undefined
  }
  if (!isMap(value) || !Object.hasOwn(value, segment)) return undefined
  return { value: value[segment] }
}

function linkIn(value: unknown): string | undefined {
  if (!isMap(value)) return undefined
  const { '/': link, ...others } = value
  return typeof link === 'string' && Object.keys(others).length === 0 ? link : undefined
}

function isMap(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  )
}

function noSuchPath(root: string, segments: readonly string[]): Problem {
  return new Problem({
    status: 404,
    slug: 'no-such-path',
    title: 'No such path',
    detail: `/ipfs/${root}/${segments.join('/')} leads nowhere`,
  })
}

function insideBlock(cid: string): Problem {
  return new Problem({
    status: 501,
    slug: 'inside-block',
    title: 'Inside a block',
    detail: `the path ends inside block ${cid}; only whole blocks are served: fetch /ipfs/${cid} and read on in it`,
  })
}
