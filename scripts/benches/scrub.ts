import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { createEmbeddedIpfs } from '@hexachord/storage/ipfs'
import { verifyTrack } from '@hexachord/storage/tracks'
import { makeTestTrack } from '@hexachord/storage/tracks/fixtures'
import pLimit from 'p-limit'
import { alternate, median, ratiosOf, rounded } from './alternate.ts'
import type { Bench } from './bench.ts'

const segmentBytes = 160 * 1024

type Sample = { readonly megabytesPerSecond: number; readonly cpuMs: number }

/** As many as a scrub reads at a time. */
const atOnce = 3

/** A scrub without its bound, over reading the same files, as many at a time, and hashing them. */
export const scrub: Bench = {
  name: 'scrub',
  summary: 'MB/s at which a node looks through what it holds, over sha256 of the same files',
  limit: { atLeast: 0.8 },
  async run({ rounds, small, folder, signal, report }) {
    const track = await makeTestTrack({ segments: small ? 2 : 256, segmentBytes })
    const logger = createLogger({ service: 'bench', level: 'silent' })
    const ipfs = await createEmbeddedIpfs({ directory: folder, bitswap: false, logger })
    try {
      for (const { cid, bytes } of track.blocks) await ipfs.putVerified(cid, bytes)
      const files = track.blocks.map(({ cid }) => path.join(folder, 'blocks', cid.slice(-3, -1), cid))
      const limit = pLimit(atOnce)
      const measured = (work: () => Promise<unknown>) => measure(track.byteLength, work)
      const pairs = await alternate({
        ...{ rounds, signal },
        ours: () =>
          measured(async () => {
            const { manifest } = track
            const found = await verifyTrack(ipfs, manifest, {
              bytesPerSecond: Number.POSITIVE_INFINITY,
              signal,
            })
            if (found.blocks !== track.blocks.length || found.corrupt + found.missing > 0) {
              throw new Error(`the scrub found ${JSON.stringify(found)}`)
            }
          }),
        theirs: () =>
          measured(async () => {
            await limit.map(files, async (file) => hash('sha256', await readFile(file), 'buffer'))
          }),
        onPair: ({ ours, theirs }, round) => report(`${round}: scrub ${told(ours)}, sha256 ${told(theirs)}`),
      })
      const { median: ratio, least, most } = ratiosOf(pairs, (one) => one.megabytesPerSecond)
      const middle = (side: 'ours' | 'theirs', of: keyof Sample) =>
        rounded(median(pairs.map((pair) => pair[side][of])))
      return {
        ...{ ratio, least, most, cpuRatio: ratiosOf(pairs, (one) => one.cpuMs).median },
        ...{ bytes: track.byteLength, blocks: track.blocks.length },
        oursMegabytesPerSecond: middle('ours', 'megabytesPerSecond'),
        sha256MegabytesPerSecond: middle('theirs', 'megabytesPerSecond'),
        ...{ oursCpuMs: middle('ours', 'cpuMs'), sha256CpuMs: middle('theirs', 'cpuMs') },
      }
    } finally {
      await ipfs.close()
    }
  },
}

async function measure(bytes: number, work: () => Promise<unknown>): Promise<Sample> {
  const [own, start] = [process.cpuUsage(), performance.now()]
  await work()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(own)
  return { megabytesPerSecond: bytes / 1000 / ms, cpuMs: (user + system) / 1000 }
}

function told({ megabytesPerSecond, cpuMs }: Sample): string {
  return `${Math.round(megabytesPerSecond)} MB/s (${Math.round(cpuMs)} ms of processor)`
}
