import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLogger } from '@hexachord/platform/process'
import { createEmbeddedIpfs } from '@hexachord/storage/ipfs'
import { makeTestTrack } from '@hexachord/storage/tracks/fixtures'
import { openLogFile } from '../local-network/log-file.ts'
import { startOwnedProcess } from '../local-network/owned-process.ts'
import { untilReady } from '../local-network/until-ready.ts'
import { libsecp256k1, nginx, wrk } from '../setup/index.ts'
import { freePort } from '../testing/free-port.ts'
import { alternate, median, type Pair, ratiosOf, rounded } from './alternate.ts'
import type { Bench } from './bench.ts'
import type { Server } from './gateway/content-service.ts'
import { connections, type Load, putUnderLoad } from './gateway/load.ts'
import { startNginx } from './gateway/nginx.ts'
import { earlierTracks, signListeners } from './till/listeners.ts'

/** Six seconds at some 213 kbit/s. */
const segmentBytes = 160 * 1024
/** For which each connection rests after an answer, on average, where latencies at one rate are asked for: that makes some
 * 5,000 requests a second of either, half of what a till gives that never rests. */
const pauseMs = 12
/** More of them than connections, so that no two vouchers of one are under way. */
const listenerCount = 128
const entry = fileURLToPath(new URL('till/paid-service.ts', import.meta.url))
const readyWithinMs = 30_000

/** One server as fast as it answers, and at the rate at which both are asked. */
type Loads = { readonly saturated: Load; readonly paced: Load }

/**
 * Both serve the same bytes under the same URLs; of ours each request brings a voucher for its segment, which is checked,
 * charged and on the disk before the answer begins. nginx is sent the same headers, and does not look at them.
 *
 * As fast as they answer, whoever serves fewer lets each of the same connections wait for longer: how long a request waits
 * apart from that is seen where both are asked at one rate.
 */
export const till: Bench = {
  name: 'till',
  summary: 'segments per second that are paid with a voucher each, over nginx with the same files unpaid',
  limit: { atLeast: 0.4 },
  programs: [nginx, wrk, ...libsecp256k1],
  async run({ rounds, small, folder, signal, report }) {
    const [units, seconds] = small ? [4, 1] : [64, 4]
    const track = await makeTestTrack({ segments: units, segmentBytes, bandwidths: [213_000] })
    const blocks = track.blocks.filter(({ bytes }) => bytes.length >= segmentBytes)
    const logger = createLogger({ service: 'bench', level: 'silent' })
    const ipfs = await createEmbeddedIpfs({
      directory: path.join(folder, 'paid/data'),
      logger,
      bitswap: false,
    })
    for (const { cid, bytes } of track.blocks) await ipfs.putVerified(cid, bytes)
    await ipfs.close()
    await mkdir(path.join(folder, 'nginx/ipfs'), { recursive: true })
    for (const { cid, bytes } of blocks) await writeFile(path.join(folder, 'nginx/ipfs', cid), bytes)
    await chmod(folder, 0o755)
    const pathOf = (unit: number) => `/ipfs/${blocks[unit]?.cid}?format=raw`

    const closing: (() => Promise<void>)[] = []
    try {
      const theirs = await startNginx({
        ...{
          root: path.join(folder, 'nginx'),
          folder: path.join(folder, 'nginx-own'),
          probe: pathOf(0),
          signal,
        },
      })
      closing.push(theirs.close)
      const ours = await startPaidService(path.join(folder, 'paid'), track.manifest, signal)
      closing.push(ours.close)
      const sign = await signListeners({ origin: ours.origin, count: listenerCount, units, signal })
      const paths = path.join(folder, 'paths')
      const load = async ({ origin, pid }: Server, time = seconds, pause?: number) =>
        putUnderLoad({ origin, pid, paths, bytes: segmentBytes, seconds: time, pauseMs: pause, signal })
      async function prepare(count: number): Promise<void> {
        const payments = await sign(count)
        await writeFile(paths, payments.map(({ unit, payment }) => `${pathOf(unit)}\t${payment}\n`).join(''))
      }
      await prepare(listenerCount)
      // Nobody is faster than nginx that is not paid: for so many requests there have to be vouchers.
      const wanted = Math.ceil((await load(theirs, 1)).requestsPerSecond * seconds)
      const wantedPaced = Math.ceil((1.25 * connections * seconds * 1000) / pauseMs)
      async function loadPaid(vouchers: number, pause?: number): Promise<Load> {
        await prepare(vouchers)
        const seen = await load(ours, seconds, pause)
        if (seen.requests > vouchers) throw new Error('there were not enough vouchers: some were sent again')
        return seen
      }
      // Both are warm: an operator's node has run for a while.
      await loadPaid(wanted)
      const pairs = await alternate<Loads>({
        ...{ rounds, signal },
        async ours() {
          return { saturated: await loadPaid(wanted), paced: await loadPaid(wantedPaced, pauseMs) }
        },
        theirs: async () => ({
          saturated: await load(theirs),
          paced: await load(theirs, seconds, pauseMs),
        }),
        onPair: (pair, round) => report(`${round}: ${told(pair)}`),
      })
      const { median: ratio, least, most } = ratiosOf(pairs, (one) => one.saturated.requestsPerSecond)
      return {
        ...{ ratio, least, most, linesPerVoucher: earlierTracks + 1 },
        p99Ratio: ratiosOf(pairs, (one) => one.saturated.p99Ms).median,
        pacedP99Ratio: ratiosOf(pairs, (one) => one.paced.p99Ms).median,
        cpuRatio: ratiosOf(pairs, (one) => one.saturated.cpuUsPerRequest).median,
        ...figuresOf(
          '',
          pairs.map((pair) => pair.ours),
        ),
        ...figuresOf(
          'nginx',
          pairs.map((pair) => pair.theirs),
        ),
      }
    } finally {
      for (const close of closing.reverse()) await close()
    }
  },
}

async function startPaidService(folder: string, manifest: string, signal: AbortSignal): Promise<Server> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const log = openLogFile(path.join(folder, 'paid-service.log'))
  const args = ['--disable-warning=ExperimentalWarning', entry, folder, manifest, String(port)]
  const child = await startOwnedProcess({ command: process.execPath, args, cwd: folder, log })
  const isReady = async (probing: AbortSignal) =>
    (await fetch(`${origin}/ipfs/${manifest}`, { signal: probing })).ok
  await untilReady({ name: 'paid-service', child, log, isReady, deadlineMs: readyWithinMs, signal })
  return {
    ...{ origin, pid: child.pid },
    async close() {
      await child.stop()
    },
  }
}

function told({ ours, theirs }: Pair<Loads>): string {
  const one = ({ saturated, paced }: Loads) =>
    [
      `${Math.round(saturated.requestsPerSecond)}/s, ${rounded(saturated.cpuUsPerRequest)} µs each`,
      `p99 ${rounded(saturated.p99Ms)} ms, at ${Math.round(paced.requestsPerSecond)}/s ${rounded(paced.p99Ms)} ms`,
    ].join(', ')
  return `${one(ours)}; nginx ${one(theirs)}`
}

/** Medians, each under its name with a prefix. */
function figuresOf(prefix: string, loads: readonly Loads[]): Record<string, number> {
  const name = (text: string) => (prefix === '' ? text : prefix + text[0]?.toUpperCase() + text.slice(1))
  const middle = (of: (one: Loads) => number) => rounded(median(loads.map(of)))
  return {
    [name('requestsPerSecond')]: Math.round(middle(({ saturated }) => saturated.requestsPerSecond)),
    [name('cpuUsPerRequest')]: middle(({ saturated }) => saturated.cpuUsPerRequest),
    [name('p99Ms')]: middle(({ saturated }) => saturated.p99Ms),
    [name('pacedRequestsPerSecond')]: Math.round(middle(({ paced }) => paced.requestsPerSecond)),
    [name('pacedP99Ms')]: middle(({ paced }) => paced.p99Ms),
  }
}
