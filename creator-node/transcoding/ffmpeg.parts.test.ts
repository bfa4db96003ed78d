import { readFileSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { ffmpeg, makeMusic } from '../fixtures/test-music.ts'
import { createFfmpeg, measure, ProgramFailed, ProgramLimit, ProgramMissing } from './index.ts'

let folder: string
const program = createFfmpeg()
const signal = AbortSignal.timeout(300_000)
/** Processes that this one has started and that have not ended. */
function children(): Set<number> {
  const pids = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim()
  return new Set(pids === '' ? [] : pids.split(' ').map(Number))
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-ffmpeg-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('ffmpeg', () => {
  const toNull = { options: ['-f', 'null'], to: '-' }
  const endless = { input: '/dev/zero', outputs: [toNull] }

  test('is not waited for longer than it has', async () => {
    const input = await makeMusic(folder, 'slow.wav', { seconds: 30 })
    const slow = { options: ['-af', 'aresample=192000,arealtime', '-f', 'null'], to: '-' }
    const run = program.run({ input, outputs: [slow], timeoutMs: 500, signal })
    await expect(run).rejects.toBeInstanceOf(ProgramLimit)
  }, 30_000)

  test.each([
    ['gives way to all others', undefined, 19],
    ['gives way to what plays music where it is waited for', 'soon' as const, 10],
    ['gives way to its node where it is over in a moment', 'now' as const, 2],
  ])(
    '%s',
    async (_, pace, niceness) => {
      const input = await makeMusic(folder, 'prior.wav', { seconds: 1 })
      const before = children()
      let found: number[] = []
      const onStart = () => {
        found = [...children().difference(before)].map((pid) => getPriority(pid))
      }
      await program.run({
        input,
        outputs: [toNull],
        ...(pace && { pace }),
        onStart,
        timeoutMs: 10_000,
        signal,
      })
      expect(found).toEqual([niceness])
    },
    30_000,
  )

  test('that is aborted before it began rejects with the reason', async () => {
    const aborted = AbortSignal.abort(new Error('too late'))
    await expect(program.run({ ...endless, timeoutMs: 1_000, signal: aborted })).rejects.toThrow('too late')
  })

  test('tells of a file that is no audio', async () => {
    const path = join(folder, 'no-audio')
    await writeFile(path, 'no audio')
    const run = program.run({ input: path, outputs: [toNull], timeoutMs: 5_000, signal })
    await expect(run).rejects.toBeInstanceOf(ProgramFailed)
  })

  test('is told to be missing where it is', async () => {
    const missing = createFfmpeg({ path: join(folder, 'no-such-ffmpeg') })
    const input = await makeMusic(folder, 'short.wav', { seconds: 1 })
    await expect(missing.run({ input, outputs: [toNull], timeoutMs: 5_000, signal })).rejects.toBeInstanceOf(
      ProgramMissing,
    )
  })

  test('may not take more memory than it is given', async () => {
    const input = await makeMusic(folder, 'memory.wav', { seconds: 30 })
    const small = createFfmpeg({ memoryBytes: 64 * 1024 ** 2 })
    const slow = { options: ['-af', 'arealtime', '-f', 'null'], to: '-' }
    const run = small.run({ input, outputs: [slow], timeoutMs: 20_000, signal })
    await expect(run).rejects.toThrow()
  }, 30_000)

  test('can do all that is asked of it here', async () => {
    await expect(program.check()).resolves.toBeUndefined()
  })
})

test('loudness, waveform, fingerprint and length come from one pass', async () => {
  const input = await makeMusic(folder, 'measured.wav', { seconds: 10 })
  const directory = join(folder, 'fingerprint')
  const { durationMs, loudness, waveform, fingerprint } = await measure({
    ffmpeg: program,
    input,
    directory,
    timeoutMs: 30_000,
    signal,
  })
  expect(durationMs).toBe(10_000)
  expect(loudness?.integratedMilliLufs).toBeGreaterThan(-25_000)
  expect(loudness?.integratedMilliLufs).toBeLessThan(-5_000)
  expect(loudness?.truePeakMilliDbtp).toBeLessThan(0)
  expect(waveform).toMatchObject({ version: 2, sample_rate: 8_000, bits: 8 })
  expect(waveform.data).toHaveLength(waveform.length * 2)
  // An item for each eighth of a second, but for those at the end, which look ahead.
  expect(fingerprint?.length).toBeGreaterThan(40 * 4)
  expect(fingerprint?.length).toBeLessThan(81 * 4)
  await expect(stat(directory)).rejects.toThrow('ENOENT')
  const unable = { ...program, canFingerprint: async () => false }
  const without = await measure({ ffmpeg: unable, input, directory, timeoutMs: 30_000, signal })
  expect(without).toEqual({ durationMs, loudness, waveform, fingerprint: undefined })
}, 30_000)

test('silence has no loudness', async () => {
  const input = join(folder, 'silence.wav')
  await ffmpeg(['-f', 'lavfi', '-i', 'anullsrc=d=5', input])
  const { durationMs, loudness } = await measure({
    ...{ ffmpeg: program, input, directory: join(folder, 'silence') },
    ...{ timeoutMs: 30_000, signal },
  })
  expect({ durationMs, loudness }).toEqual({ durationMs: 5_000, loudness: undefined })
}, 30_000)
