import { blocksOf, loadTrack } from '@hexachord/protocol/manifests'
import { eventually } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type GeneratedFile, sendFile } from './fixtures/send-file.ts'
import { fresh } from './fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from './fixtures/test-world.ts'

/** The longest that a node takes. */
const seconds = 10 * 3_600
/** It begins first and gives way to all other tests, as ffmpeg does to everybody: this only ends what hangs. */
const cutWithinMs = 1_200_000
/** What the process's peak may grow by, in which the client and the chain's reader run, too. */
const mostMemoryBytes = 300 * 1024 ** 2

let world: TestWorld
beforeAll(async () => {
  world = await startTestWorld()
}, 60_000)
afterAll(() => world?.close())

test(
  'a recording of ten hours becomes a track of 6,000 segments, in little memory',
  async () => {
    const { node } = world
    const peakBefore = process.resourceUsage().maxRSS
    const id = await sendFile(node, fresh(), longWav(), { chunkBytes: 32 * 1024 ** 2 })
    const upload = await eventually(() => node.upload(id), {
      ...{ describe: 'ten hours are cut', deadlineMs: cutWithinMs, everyMs: 500 },
      until: ({ state }) => state === 'replicating' || state === 'failed',
    })
    expect(upload).toMatchObject({ state: 'replicating', source: { durationMs: seconds * 1000 } })
    const { track, renditions } = upload
    for (const { segments } of renditions)
      expect(Math.abs(segments - seconds / 6)).toBeLessThan(seconds / 600)
    expect(Math.abs((track?.durationMs ?? 0) - seconds * 1000)).toBeLessThan(200)
    const { maxRSS } = process.resourceUsage()
    expect((maxRSS - peakBefore) * 1024).toBeLessThan(mostMemoryBytes)

    const block = async (cid: string) => {
      const response = await fetch(`${node.origin}/ipfs/${cid}?format=raw`)
      expect(response.status).toBe(200)
      return new Uint8Array(await response.arrayBuffer())
    }
    const blocks = blocksOf(await loadTrack(track?.manifest ?? '', block))
    const { cid = '', byteLength } = blocks.at(-1) ?? {}
    expect((await block(cid)).length).toBe(byteLength)
  },
  cutWithinMs + 60_000,
)

/** Ten hours of silence as a telephone has it. */
function longWav(): GeneratedFile {
  const rateHz = 8_000
  const head = Buffer.alloc(44)
  const samples = seconds * rateHz
  head.write('RIFF    WAVEfmt ', 'latin1')
  head.writeUInt32LE(36 + samples, 4)
  for (const [at, value] of [
    [16, 16],
    [24, rateHz],
    [28, rateHz],
    [40, samples],
  ] as const)
    head.writeUInt32LE(value, at)
  for (const [at, value] of [
    [20, 1],
    [22, 1],
    [32, 1],
    [34, 8],
  ] as const)
    head.writeUInt16LE(value, at)
  head.write('data', 36, 'latin1')
  return {
    byteLength: head.length + samples,
    slice(start, end) {
      const bytes = Buffer.alloc(end - start, 0x80)
      if (start < head.length) head.copy(bytes, 0, start)
      return bytes
    },
  }
}
