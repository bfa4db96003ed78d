import { randomBytes } from 'node:crypto'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { nginx, wrk } from '../setup/index.ts'
import { alternate, median, type Pair, ratiosOf, rounded } from './alternate.ts'
import type { Bench } from './bench.ts'
import { startContentService, storeBlocks } from './gateway/content-service.ts'
import { type Load, putUnderLoad } from './gateway/load.ts'
import { startNginx } from './gateway/nginx.ts'

/** Six seconds at some 213 kbit/s. */
const segmentBytes = 160 * 1024
const segmentCount = 64
const hotCacheBytes = 128 * 1024 ** 2

/**
 * Both serve the same bytes under the same URLs. Ours is a whole content service; its hot reads come from its memory,
 * its cold ones from the disk's cache, hashed each time.
 */
export const gateway: Bench = {
  name: 'gateway',
  summary: 'segments per second that a content service gives, over nginx with the same files',
  limit: { atLeast: 0.75 },
  programs: [nginx, wrk],
  async run({ rounds, small, folder, signal, report }) {
    const count = small ? 4 : segmentCount
    const seconds = small ? 1 : 5
    const blocks = Array.from({ length: count }, () => randomBytes(segmentBytes))
    const [hotFolder, coldFolder, root] = ['hot', 'cold', 'nginx'].map((name) => path.join(folder, name))
    if (hotFolder === undefined || coldFolder === undefined || root === undefined)
      throw new Error('no folder')
    const cids = await storeBlocks(hotFolder, blocks)
    await storeBlocks(coldFolder, blocks)
    await writeFiles(path.join(root, 'ipfs'), cids, blocks)
    await chmod(folder, 0o755)
    const paths = path.join(folder, 'paths')
    await writeFile(paths, cids.map((cid) => `/ipfs/${cid}?format=raw\n`).join(''))
    const probe = `/ipfs/${cids[0]}?format=raw`

    const closing: (() => Promise<void>)[] = []
    try {
      const theirs = await startNginx({ root, folder: path.join(folder, 'nginx-own'), probe, signal })
      closing.push(theirs.close)
      const hot = await startContentService({ folder: hotFolder, cacheBytes: hotCacheBytes, probe, signal })
      closing.push(hot.close)
      const cold = await startContentService({ folder: coldFolder, cacheBytes: 1, probe, signal })
      closing.push(cold.close)
      const load = ({ origin, pid }: { origin: string; pid: number }) =>
        putUnderLoad({ origin, pid, paths, bytes: segmentBytes, seconds, signal })
      const pairsOf = (ours: { origin: string; pid: number }, name: string, times: number) =>
        alternate({
          ...{ rounds: times, signal, ours: () => load(ours), theirs: () => load(theirs) },
          onPair: (pair, round) => report(`${name} ${round}: ${told(pair)}`),
        })
      const pairs = await pairsOf(hot, 'hot', rounds)
      const coldPairs = await pairsOf(cold, 'cold', Math.ceil(rounds / 2))
      const { median: ratio, least, most } = ratiosOf(pairs, (one) => one.requestsPerSecond)
      return {
        ratio,
        least,
        most,
        cpuRatio: ratiosOf(pairs, (one) => one.cpuUsPerRequest).median,
        ...figuresOf(
          '',
          pairs.map(({ ours }) => ours),
        ),
        ...figuresOf(
          'nginx',
          pairs.map((pair) => pair.theirs),
        ),
        coldRatio: ratiosOf(coldPairs, (one) => one.requestsPerSecond).median,
        ...figuresOf(
          'cold',
          coldPairs.map(({ ours }) => ours),
        ),
      }
    } finally {
      for (const close of closing.reverse()) await close()
    }
  },
}

async function writeFiles(folder: string, names: readonly string[], contents: readonly Uint8Array[]) {
  await mkdir(folder, { recursive: true })
  await Promise.all(names.map((name, place) => writeFile(path.join(folder, name), contents[place] ?? '')))
}

function told({ ours, theirs }: Pair<Load>): string {
  const one = ({ requestsPerSecond, cpuUsPerRequest, p99Ms }: Load) =>
    `${Math.round(requestsPerSecond)}/s, ${rounded(cpuUsPerRequest)} µs each, p99 ${rounded(p99Ms)} ms`
  return `${one(ours)}; nginx ${one(theirs)}`
}

/** Medians, each under its name with a prefix. */
function figuresOf(prefix: string, loads: readonly Load[]): Record<string, number> {
  const figures = {
    requestsPerSecond: Math.round(median(loads.map((load) => load.requestsPerSecond))),
    cpuUsPerRequest: rounded(median(loads.map((load) => load.cpuUsPerRequest))),
    p99Ms: rounded(median(loads.map((load) => load.p99Ms))),
  }
  const named = (name: string) => (prefix === '' ? name : prefix + name[0]?.toUpperCase() + name.slice(1))
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [named(name), value]))
}
