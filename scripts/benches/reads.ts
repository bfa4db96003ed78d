import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { removePostgresData, startPostgres } from '../local-network/engines/index.ts'
import { createRandom } from '../sample-music/random.ts'
import { wrk } from '../setup/index.ts'
import { freePort } from '../testing/free-port.ts'
import { alternate, median, ratiosOf, rounded } from './alternate.ts'
import type { Bench } from './bench.ts'
import { type Load, putUnderLoad } from './gateway/load.ts'
import { anyOf, type Catalogue, type CatalogueSize, makeCatalogue } from './reads/catalogue.ts'
import { fillDatabase } from './reads/fill-database.ts'
import { startProvider } from './reads/provider.ts'
import { makeSearches, quantile, timeSearches } from './reads/searching.ts'

const fullSize: CatalogueSize = { tracks: 1_000_000, users: 200_000, plays: 10_000_000 }
const smallSize: CatalogueSize = { tracks: 2_000, users: 400, plays: 20_000 }

/** Pages of each kind that are asked for in turn. */
const pagesAsked = 20_000
const searchesOfAKind = 200
const connections = 64
/** Shorter than all who read a feed take who have not asked before. */
const firstSeconds = 2
/** Between the pages of one reader: each turns five in a second. */
const readersPauseMs = 200
const rawPool = fileURLToPath(new URL('reads/raw-pool.ts', import.meta.url))
/** The longest that the raw pool may take beyond the time it measures. */
const patienceMs = 20_000

/** Both read the same tracks from the same Postgres, with pools of one size and 64 askers. The raw pool asks for each by
 * the statement that reads one; ours answers over HTTP, and reads by one statement what is asked for at one moment. Each
 * track is read for each page: none is kept. */
export const reads: Bench = {
  name: 'reads',
  summary: `track pages per second of a discovery provider of ${fullSize.tracks.toLocaleString('en')} tracks, over the same query on a raw pool`,
  limit: { atLeast: 0.55 },
  programs: [wrk],
  async run({ rounds, small, folder, signal, report }) {
    const size = small ? smallSize : fullSize
    const seconds = small ? 1 : 5
    const catalogue = makeCatalogue(size)
    const directory = path.join(folder, 'postgres')
    const postgres = await startPostgres({ directory, port: await freePort(), signal, settings })
    const closing = [() => removePostgresData(directory), postgres.close]
    try {
      const databaseUrl = await postgres.createDatabase('reads')
      await fillDatabase({ url: databaseUrl, catalogue, size, signal, report })
      const pages = await writePages(folder, catalogue, size)
      const provider = await startProvider({
        ...{ folder: path.join(folder, 'provider'), databaseUrl, signal },
        probe: `/v1/tracks/${catalogue.idOf(0)}`,
      })
      closing.push(provider.close)
      const load = (paths: string, pauseMs?: number, during = seconds) =>
        putUnderLoad({ ...provider, paths, bytes: 10, seconds: during, pauseMs, signal })
      const figuresOf = async (name: string, paths: string) => ({
        ...tellSaturated(name, await load(paths)),
        ...tellReaders(name, await load(paths, readersPauseMs)),
      })

      const pairs = await alternate({
        ...{ rounds, signal },
        ours: async () => (await load(pages.tracks)).requestsPerSecond,
        theirs: () => askRawPool(databaseUrl, pages.ids, seconds, signal),
        onPair: ({ ours, theirs }, round) =>
          report(`${round}: ${Math.round(ours)} track pages a second, raw pool ${Math.round(theirs)}`),
      })
      const { median: ratio, least, most } = ratiosOf(pairs, (one) => one)
      return {
        ...{ ratio, least, most, tracks: size.tracks },
        trackPagesPerSecond: Math.round(median(pairs.map(({ ours }) => ours))),
        rawPoolPerSecond: Math.round(median(pairs.map(({ theirs }) => theirs))),
        ...(await figuresOf('trackPage', pages.tracks)),
        ...tellSaturated(
          'feedFirst',
          await load(pages.firstFeeds, undefined, Math.min(seconds, firstSeconds)),
        ),
        ...tellReaders('feedFirst', await load(pages.otherFirstFeeds, readersPauseMs)),
        ...(await afterAsking(provider.origin, pages.feeds, signal, () => figuresOf('feed', pages.feeds))),
        ...(await figuresOf('trending', pages.trending)),
        ...(await searchFigures(provider.origin, catalogue, size, small ? 4 : searchesOfAKind, signal)),
      }
    } finally {
      for (const close of closing.reverse()) await close()
    }
  },
}

/** As on a machine that has nothing else to do; what was written need not survive a power cut. */
const settings = {
  ...{ shared_buffers: '2GB', maintenance_work_mem: '512MB', work_mem: '16MB', max_wal_size: '4GB' },
  ...{ fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', jit: 'off' },
}

/** Files of paths for the load, and one of ids for the raw pool: the same tracks in the same order. */
async function writePages(folder: string, catalogue: Catalogue, { tracks, users }: CatalogueSize) {
  await mkdir(folder, { recursive: true })
  const random = createRandom(29)
  const some = <Item>(make: () => Item) => Array.from({ length: Math.min(pagesAsked, tracks) }, make)
  const ids = some(() => catalogue.idOf(anyOf(random, tracks)))
  // Of each reader who follows many one page, half and half: nobody asks twice.
  const firstFeeds = Array.from({ length: users / 10 }, (_, n) => n)
    .map((n) => ({ n, place: random() }))
    .toSorted((one, other) => one.place - other.place)
    .map(({ n }) => `/v1/users/${catalogue.userOf(10 * n)}/feed`)
  const half = Math.floor(firstFeeds.length / 2)
  const write = async (name: string, lines: readonly string[]) => {
    const file = path.join(folder, name)
    await writeFile(file, `${lines.join('\n')}\n`)
    return file
  }
  return {
    ids: await write('ids', ids),
    tracks: await write(
      'tracks',
      ids.map((id) => `/v1/tracks/${id}`),
    ),
    feeds: await write(
      'feeds',
      // Every tenth user follows many.
      some(() => `/v1/users/${catalogue.userOf(10 * anyOf(random, users / 10))}/feed`),
    ),
    firstFeeds: await write('first-feeds', firstFeeds.slice(0, half)),
    otherFirstFeeds: await write('other-first-feeds', firstFeeds.slice(half)),
    trending: await write('trending', [
      '/v1/tracks/trending',
      '/v1/tracks/trending?list=month&genre=jazz',
      '/v1/tracks/trending?list=all&strategy=chain-1',
      '/v1/tracks/trending?list=underground',
    ]),
  }
}

async function askRawPool(url: string, ids: string, seconds: number, signal: AbortSignal): Promise<number> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    rawPool,
    url,
    ids,
    String(seconds),
    String(connections),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    signal,
    timeout: seconds * 1000 + patienceMs,
  })
  return (JSON.parse(stdout) as { perSecond: number }).perSecond
}

/** Measures what was asked for before: a provider keeps what feeds are made of, of more users than are asked for here. */
async function afterAsking<Figures>(
  origin: string,
  paths: string,
  signal: AbortSignal,
  measure: () => Promise<Figures>,
): Promise<Figures> {
  const unasked = new Set((await readFile(paths, 'utf8')).trim().split('\n')).values()
  const ask = async () => {
    for (const path of unasked) {
      const response = await fetch(origin + path, { signal })
      const body = await response.text()
      if (!response.ok) throw new Error(`${path} failed: ${body}`)
    }
  }
  await Promise.all(Array.from({ length: connections }, ask))
  return measure()
}

/** As fast as it answers: how long one waits is then 64 over how many are answered. */
function tellSaturated(name: string, { requestsPerSecond, p95Ms }: Load): Record<string, number> {
  return {
    [`${name}PerSecond`]: Math.round(requestsPerSecond),
    [`${name}SaturatedP95Ms`]: rounded(p95Ms),
  }
}

/** By 64 readers who turn pages. */
function tellReaders(name: string, { p50Ms, p95Ms }: Load): Record<string, number> {
  return { [`${name}P50Ms`]: rounded(p50Ms), [`${name}P95Ms`]: rounded(p95Ms) }
}

/** Of all kinds together, and of each. */
async function searchFigures(
  origin: string,
  catalogue: Catalogue,
  size: CatalogueSize,
  count: number,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const figures: Record<string, number> = {}
  const all: number[] = []
  for (const [kind, searches] of Object.entries(makeSearches(catalogue, size, count))) {
    await timeSearches(origin, searches.slice(0, 5), signal)
    const took = await timeSearches(origin, searches, signal)
    all.push(...took)
    figures[`${kind}P50Ms`] = rounded(quantile(took, 0.5))
    figures[`${kind}P95Ms`] = rounded(quantile(took, 0.95))
  }
  return { searchP50Ms: rounded(quantile(all, 0.5)), searchP95Ms: rounded(quantile(all, 0.95)), ...figures }
}
