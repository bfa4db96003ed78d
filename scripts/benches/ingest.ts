import { availableParallelism } from 'node:os'
import path from 'node:path'
import { ffmpeg, ffprobe, redisServer } from '../setup/index.ts'
import { alternate, median, ratiosOf, rounded } from './alternate.ts'
import type { Bench, BenchContext } from './bench.ts'
import { type BareRendition, bareRenditionsOf, runBareFfmpeg } from './ingest/bare-ffmpeg.ts'
import { type CreatorProcess, startCreatorProcess } from './ingest/creator-process.ts'
import { makeSources, type Sources } from './ingest/sources.ts'
import { uploadFile } from './ingest/upload-file.ts'
import { forgetPeak, largestChild, usageOf } from './process-usage.ts'

/** One way of making renditions, ours or bare. */
type Sample = {
  wallMs: number
  firstStoredMs: number
  firstListedMs: number
  playableMs: number
  cpuMs: number
}

type Stage = BenchContext & { node: CreatorProcess; sources: Sources }

export const ingest: Bench = {
  name: 'ingest',
  summary: 'last uploaded byte to a publishable manifest, over bare ffmpeg making the same renditions',
  limit: { atMost: 1.1 },
  programs: [ffmpeg, ffprobe, redisServer],
  async run(context) {
    const { folder, small, signal } = context
    const sources = await makeSources({ folder, small, signal })
    const node = await startCreatorProcess(folder, signal)
    const stage = { ...context, node, sources }
    try {
      const whole = await compare(stage, 'flac')
      const remux = await compare(stage, 'm4a')
      return {
        ratio: whole.wall.median,
        ...{ ratioLeast: whole.wall.least, ratioMost: whole.wall.most, cpuRatio: whole.cpu.median },
        ...{ sourceSeconds: sources.seconds, renditions: whole.renditions },
        ...{ manifestMs: whole.wallMs, bareMs: whole.bareMs },
        firstSegmentRatio: whole.firstStored.median,
        firstSegmentRatioMost: whole.firstStored.most,
        ...{ firstSegmentMs: whole.firstStoredMs, bareFirstSegmentMs: whole.bareFirstStoredMs },
        firstListedRatio: whole.firstListed.median,
        aacPlayableRatio: remux.playable.median,
        aacPlayableRatioMost: remux.playable.most,
        ...{ aacPlayableMs: remux.playableMs, bareRemuxMs: remux.bareMs },
        aacFirstSegmentRatio: remux.firstStored.median,
        ...(await measureMemory(stage)),
      }
    } finally {
      await node.close()
    }
  },
}

/** What a source costs at the node and bare. Of one that is AAC already, only the remux counts. */
async function compare(stage: Stage, kind: 'flac' | 'm4a') {
  const { node, sources, folder, rounds, small, signal, report } = stage
  let input = ''
  let renditions: BareRendition[] = []
  const pairs = await alternate<Sample>({
    ...{ rounds, signal, countFirst: small },
    async ours() {
      input = await sources[kind]()
      const before = await usageOf(node.pid)
      const { upload, manifestMs, ...times } = await uploadFile(node, input, signal)
      const after = await usageOf(node.pid)
      const names = upload.renditions.map(({ name }) => name)
      renditions = bareRenditionsOf(names, names.slice(0, 1))
      return { ...times, wallMs: manifestMs, cpuMs: after.cpuMs - before.cpuMs }
    },
    async theirs() {
      const bare = await runBareFfmpeg({
        ...{ input, signal, folder: path.join(folder, 'bare'), atOnce: availableParallelism() },
        renditions: kind === 'm4a' ? renditions.slice(0, 1) : renditions,
      })
      return { ...bare, firstListedMs: bare.firstStoredMs, playableMs: bare.wallMs }
    },
    onPair({ ours, theirs }, round) {
      const figures = (Object.keys(theirs) as (keyof Sample)[]).map(
        (key) => `${key} ${Math.round(ours[key])}/${Math.round(theirs[key])}`,
      )
      report(`${kind} ${round}: ${figures.join(', ')} (ours/bare)`)
    },
  })
  return {
    wall: ratiosOf(pairs, ({ wallMs }) => wallMs),
    cpu: ratiosOf(pairs, ({ cpuMs }) => cpuMs),
    firstStored: ratiosOf(pairs, ({ firstStoredMs }) => firstStoredMs),
    firstListed: ratiosOf(pairs, ({ firstListedMs }) => firstListedMs),
    firstStoredMs: Math.round(median(pairs.map(({ ours }) => ours.firstStoredMs))),
    bareFirstStoredMs: Math.round(median(pairs.map(({ theirs }) => theirs.firstStoredMs))),
    playable: ratiosOf(pairs, ({ playableMs }) => playableMs),
    wallMs: Math.round(median(pairs.map(({ ours }) => ours.wallMs))),
    playableMs: Math.round(median(pairs.map(({ ours }) => ours.playableMs))),
    bareMs: Math.round(median(pairs.map(({ theirs }) => theirs.wallMs))),
    renditions: renditions.map(({ name }) => name).join(' '),
  }
}

/** The most that node and ffmpeg had in memory, for a short file and for one that is thirty times as long. */
async function measureMemory({ node, sources, small, signal, report }: Stage) {
  const shortSeconds = small ? 10 : 60
  const peaks: { nodeBytes: number; ffmpegBytes: number }[] = []
  for (const seconds of [shortSeconds, shortSeconds, 30 * shortSeconds]) {
    const input = await sources.mp3(seconds)
    await forgetPeak(node.pid)
    const ffmpegBytes = await largestChild(node.pid, async () => {
      await uploadFile(node, input, signal)
    })
    peaks.push({ nodeBytes: (await usageOf(node.pid)).peakBytes, ffmpegBytes })
    report(
      `memory for ${seconds} s: node ${mebibytes(peaks.at(-1)?.nodeBytes)} MiB, ffmpeg ${mebibytes(ffmpegBytes)} MiB`,
    )
  }
  // The first short one only fills what a process fills once.
  const [, short, long] = peaks
  return {
    ...{ shortSeconds, longSeconds: 30 * shortSeconds },
    ...{ nodePeakMiBShort: mebibytes(short?.nodeBytes), nodePeakMiBLong: mebibytes(long?.nodeBytes) },
    ...{ ffmpegPeakMiBShort: mebibytes(short?.ffmpegBytes), ffmpegPeakMiBLong: mebibytes(long?.ffmpegBytes) },
    memoryRatio: rounded((long?.nodeBytes ?? Number.NaN) / (short?.nodeBytes ?? Number.NaN)),
  }
}

function mebibytes(bytes = Number.NaN): number {
  return Math.round(bytes / 2 ** 20)
}
