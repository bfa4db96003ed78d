import {
  type Carried,
  carHeader,
  carriedOrder,
  carSection,
  carSectionLength,
  encodeCarried,
} from '@hexachord/protocol/cars'
import { cidOf } from '@hexachord/protocol/cids'
import { blocksOf } from '@hexachord/protocol/manifests'
import type { Address } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import type { Connection } from '../connect/index.ts'
import { type OpenOptions, openTrack } from '../playing/open-track.ts'

/** Blocks on their way at one time; that many are in memory at most. */
const blocksAhead = 8

/** A track on its way into a file. */
export type TrackExport = {
  /** Root of the CAR: names the manifest and what is published of the track. */
  readonly root: string
  /** The beginning of the file. */
  readonly header: Uint8Array
  /** What follows it, in this order and no other: an export of the same track is the same file. */
  readonly blocks: readonly { readonly cid: string; readonly byteLength: number }[]
  /** Of the whole file. */
  readonly byteLength: number
  /** Blocks as they stand in the file, each fetched from whoever has it and checked; memory is that of a few.
   * @param from how many of `blocks` are there already
   * @throws RetrievalFailed when nobody gives a block, and the signal's reason */
  sections(from?: number): AsyncGenerator<Uint8Array[], void, undefined>
}

/**
 * Prepares to carry a track away: as a CAR (version 1) with every block of it and what is said of it, which any IPFS
 * program can read and `importTrack` takes into another network.
 * @throws RetrievalFailed, ManifestError, CarError
 */
export async function openExport(
  connection: Connection,
  track: Track,
  options: OpenOptions = {},
): Promise<TrackExport> {
  const { signal } = options
  const opened = await openTrack(connection, track, options)
  const bytes = encodeCarried(carriedOf(connection, track))
  const root = await cidOf(bytes, 'dag-json')
  const block = async (cid: string) => (cid === root ? bytes : (await opened.block(cid, signal)).bytes)
  const lengths = new Map(blocksOf(opened.loaded).map(({ cid, byteLength }) => [cid, byteLength]))
  const blocks = (await carriedOrder(root, block)).map((cid) => ({
    cid,
    byteLength: lengths.get(cid) ?? bytes.length,
  }))
  const header = carHeader([root])
  return {
    root,
    header,
    blocks,
    byteLength: blocks.reduce((sum, one) => sum + carSectionLength(one.cid, one.byteLength), header.length),
    async *sections(from = 0) {
      const ahead: Promise<Uint8Array[]>[] = []
      for (let next = from; ; ) {
        for (; ahead.length < blocksAhead && next < blocks.length; next++) {
          const { cid = '' } = blocks[next] ?? {}
          const section = block(cid).then((found) => carSection(cid, found))
          // It is awaited in its turn; until then its failure must not count as unhandled.
          section.catch(() => undefined)
          ahead.push(section)
        }
        const section = await ahead.shift()
        if (section === undefined) return
        signal?.throwIfAborted()
        yield section
      }
    },
  }
}

function carriedOf({ domain, providers }: Connection, track: Track): Carried {
  const { title, artist, album, genre, mood, description, isrc, licence, tags } = track
  const said = { album, genre, mood, description, isrc }
  const given = Object.entries(said).flatMap(([name, value]) => (value === null ? [] : [[name, value]]))
  return {
    manifest: track.manifest,
    details: { title, artist, ...Object.fromEntries(given), ...(tags.length > 0 ? { tags } : {}), licence },
    origin: {
      chainId: providers[0]?.status.chainId ?? Number(domain.chainId),
      catalog: String(domain.verifyingContract).toLowerCase() as Address,
      subject: track.id,
      action: track.last.digest,
    },
  }
}
