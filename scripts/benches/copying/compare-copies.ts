import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { alternate, median, type Pair, ratiosOf, rounded } from '../alternate.ts'
import type { BenchContext, BenchResult } from '../bench.ts'
import { type Server, startContentService, storeBlocks } from '../gateway/content-service.ts'
import { startNginx } from '../gateway/nginx.ts'
import { usageOf } from '../process-usage.ts'
import { copyPlainly } from './plain-copy.ts'
import { openVerifiedStore } from './verified-copy.ts'

/** Files on their way at one time, on both sides. */
const atOnce = 12
/** Six seconds at some 213 kbit/s, as in the bench of the gateway. */
const segmentBytes = 160 * 1024

/** An empty disk that a track is brought to. */
type Disk = { fill(): Promise<unknown>; close(): Promise<void> }

type Sample = { readonly ms: number; readonly cpuMs: number; readonly sourceCpuMs: number }

/**
 * Brings a track to some empty disks at the same time, verified, pinned and with receipts, from content services of
 * their own process; and, in turns, copies the same blocks as files from nginx, with the same syncs and as many at
 * a time. Both receive in this process.
 * @param options.copies disks
 * @param options.holders content services that have it
 * @param options.leavesOut what of it is not measured
 */
export async function compareCopies(
  { rounds, small, folder, signal, report }: BenchContext,
  { copies, holders, leavesOut }: { copies: number; holders: number; leavesOut: string },
): Promise<BenchResult> {
  const track = await makeTestTrack({ segments: small ? 2 : 64, segmentBytes })
  const closing: (() => Promise<void>)[] = []
  try {
    const services: Server[] = []
    for (let index = 0; index < holders; index++) {
      services.push(await startHolder(path.join(folder, `holder-${index}`), track, signal))
      closing.push(async () => services[index]?.close())
    }
    const nginx = await startPlain(folder, track, signal)
    closing.push(nginx.close)
    let taken = 0
    const measured = async (sources: readonly Server[], open: (folder: string) => Promise<Disk>) => {
      const folders = Array.from({ length: copies }, () => path.join(folder, `copy-${taken++}`))
      const disks = await Promise.all(folders.map(open))
      const sample = await measure(sources, () => Promise.all(disks.map((disk) => disk.fill())))
      for (const disk of disks) await disk.close()
      for (const done of folders) await rm(done, { recursive: true })
      return sample
    }
    const origins = services.map(({ origin }) => origin)
    const names = track.blocks.map(({ cid }) => cid)
    const pairs = await alternate({
      ...{ rounds, signal },
      ours: () => measured(services, (to) => openOurs(to, { origins, track, signal })),
      theirs: () =>
        measured([nginx], async (to) => ({
          fill: () => copyPlainly({ origin: nginx.origin, names, folder: to, atOnce, signal }),
          async close() {},
        })),
      onPair: (pair, round) => report(`${round}: ${told(pair)}`),
    })
    return { ...resultOf(pairs, track), leavesOut }
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

async function startHolder(folder: string, track: TestTrack, signal: AbortSignal): Promise<Server> {
  const manifestAndRenditions = track.blocks.filter(({ cid }) => !cid.startsWith('bafkr'))
  const raw = track.blocks.filter((block) => !manifestAndRenditions.includes(block))
  await storeBlocks(
    folder,
    raw.map(({ bytes }) => bytes),
  )
  await storeBlocks(
    folder,
    manifestAndRenditions.map(({ bytes }) => bytes),
    'dag-json',
  )
  const probe = `/ipfs/${track.manifest}?format=raw`
  return startContentService({ folder, cacheBytes: 128 * 1024 ** 2, probe, signal })
}

async function startPlain(folder: string, track: TestTrack, signal: AbortSignal): Promise<Server> {
  const root = path.join(folder, 'nginx')
  await mkdir(path.join(root, 'ipfs'), { recursive: true })
  for (const { cid, bytes } of track.blocks) await writeFile(path.join(root, 'ipfs', cid), bytes)
  await chmod(folder, 0o755)
  const probe = `/ipfs/${track.manifest}`
  return startNginx({ root, folder: path.join(folder, 'nginx-own'), probe, signal })
}

/** A node is there before a track is lost: that it starts is no part of what is measured. */
async function openOurs(
  folder: string,
  { origins, track, signal }: { origins: readonly string[]; track: TestTrack; signal: AbortSignal },
): Promise<Disk> {
  const store = await openVerifiedStore(folder, origins, signal)
  return { fill: () => store.bring(track.manifest, track.byteLength), close: store.close }
}

async function measure(sources: readonly Server[], work: () => Promise<unknown>): Promise<Sample> {
  const sourceCpu = async () => {
    const usages = await Promise.all(sources.map(({ pid }) => usageOf(pid)))
    return usages.reduce((sum, { cpuMs }) => sum + cpuMs, 0)
  }
  const [before, own, start] = [await sourceCpu(), process.cpuUsage(), performance.now()]
  await work()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(own)
  return { ms, cpuMs: (user + system) / 1000, sourceCpuMs: (await sourceCpu()) - before }
}

function resultOf(pairs: readonly Pair<Sample>[], track: TestTrack): BenchResult {
  const { median: ratio, least, most } = ratiosOf(pairs, ({ ms }) => ms)
  const middle = (side: 'ours' | 'theirs', of: keyof Sample) =>
    rounded(median(pairs.map((pair) => pair[side][of])))
  return {
    ...{ ratio, least, most },
    cpuRatio: ratiosOf(pairs, ({ cpuMs, sourceCpuMs }) => cpuMs + sourceCpuMs).median,
    ...{ bytes: track.byteLength, blocks: track.blocks.length },
    ...{ oursMs: middle('ours', 'ms'), plainMs: middle('theirs', 'ms') },
    ...{ oursCpuMs: middle('ours', 'cpuMs'), plainCpuMs: middle('theirs', 'cpuMs') },
    ...{ oursSourceCpuMs: middle('ours', 'sourceCpuMs'), plainSourceCpuMs: middle('theirs', 'sourceCpuMs') },
  }
}

function told({ ours, theirs }: Pair<Sample>): string {
  const of = ({ ms, cpuMs }: Sample) => `${Math.round(ms)} ms (${Math.round(cpuMs)} ms of processor)`
  return `verified ${of(ours)}, plain ${of(theirs)}`
}
