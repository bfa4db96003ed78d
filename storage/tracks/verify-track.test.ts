import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { BlockNotFound, createEmbeddedIpfs, type IpfsNode, KuboUnavailable } from '../ipfs/index.ts'
import { makeTestTrack, type TestTrack } from './fixtures/index.ts'
import { verifyTrack } from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

let directory: string
let ipfs: IpfsNode
let track: TestTrack
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hexachord-verify-'))
  ipfs = await createEmbeddedIpfs({ directory, bitswap: false, logger })
  track = await makeTestTrack({ segments: 5, segmentBytes: 30_000 })
  for (const { cid, bytes } of track.blocks) await ipfs.putVerified(cid, bytes)
})
afterEach(async () => {
  await ipfs.close()
  await rm(directory, { recursive: true })
})

const unhurried = { bytesPerSecond: Number.POSITIVE_INFINITY, signal: new AbortController().signal }

const fileOf = (cid: string) => join(directory, 'blocks', cid.slice(-3, -1), cid)

function blockAt(index: number): string {
  const block = track.blocks.at(index)
  if (block === undefined) throw new Error(`no block ${index}`)
  return block.cid
}

describe('verifying a track', () => {
  test('reads each of its blocks once', async () => {
    const { byteLength, blocks } = track
    const whole = { blocks: blocks.length, bytes: byteLength, corrupt: 0, missing: 0 }
    expect(await verifyTrack(ipfs, track.manifest, unhurried)).toEqual(whole)
  })

  test('counts what is corrupt and what is missing', async () => {
    await writeFile(fileOf(blockAt(1)), 'rotten')
    await writeFile(fileOf(blockAt(2)), '')
    await unlink(fileOf(blockAt(3)))
    const verdict = await verifyTrack(ipfs, track.manifest, unhurried)
    expect(verdict).toMatchObject({ blocks: track.blocks.length, corrupt: 2, missing: 1 })
    expect(await ipfs.has(blockAt(1))).toBe(false)
    expect(await verifyTrack(ipfs, track.manifest, unhurried)).toMatchObject({ corrupt: 0, missing: 3 })
  })

  test('counts one missing block when the manifest is gone, rotten or none of ours', async () => {
    const none = { blocks: 0, bytes: 0, corrupt: 0, missing: 1 }
    await writeFile(fileOf(track.manifest), 'rotten')
    expect(await verifyTrack(ipfs, track.manifest, unhurried)).toEqual(none)
    expect(await verifyTrack(ipfs, track.manifest, unhurried)).toEqual(none)
    const other = await ipfs.put(new TextEncoder().encode('{"kind":"mixtape"}'), 'dag-json')
    expect(await verifyTrack(ipfs, other, unhurried)).toEqual(none)
  })

  test.each([
    ['Kubo is away', new KuboUnavailable('http://127.0.0.1:5001', 'ECONNREFUSED')],
    ['there are no file descriptors left', Object.assign(new Error('too many'), { code: 'EMFILE' })],
  ])('says nothing about the track while %s', async (_, trouble) => {
    const fails = () => Promise.reject(trouble)
    const { get, verify } = ipfs
    await expect(verifyTrack({ get: fails, verify }, track.manifest, unhurried)).rejects.toBe(trouble)
    await expect(verifyTrack({ get, verify: fails }, track.manifest, unhurried)).rejects.toBe(trouble)
    const gone = () => Promise.reject(new BlockNotFound(track.manifest))
    expect(await verifyTrack({ get: gone, verify }, track.manifest, unhurried)).toMatchObject({ missing: 1 })
  })

  test('takes as long as the rate says, and asks for no more than three blocks beyond it', async () => {
    const bytesPerSecond = 1_000_000
    const startedAt = performance.now()
    let bytes = 0
    const sizes = new Map(track.blocks.map((block) => [block.cid, block.bytes.length]))
    const watched: Pick<IpfsNode, 'get' | 'verify'> = {
      get: ipfs.get,
      async verify(cid, options) {
        // Timers may fire a millisecond early.
        const allowed = ((performance.now() - startedAt + 3) / 1000) * bytesPerSecond + 3 * 30_010
        expect(bytes).toBeLessThanOrEqual(allowed)
        bytes += sizes.get(cid) ?? 0
        return ipfs.verify(cid, options)
      },
    }
    await verifyTrack(watched, track.manifest, { ...unhurried, bytesPerSecond })
    expect(bytes).toBe(track.byteLength)
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual((bytes / bytesPerSecond) * 1000 - 3)
  })

  test('ends at once with its signal, in the middle of waiting for the rate', async () => {
    const ending = new AbortController()
    const reason = new Error('enough')
    const verifying = verifyTrack(
      {
        get: ipfs.get,
        async verify(cid, options) {
          setImmediate(() => ending.abort(reason))
          return ipfs.verify(cid, options)
        },
      },
      track.manifest,
      // An hour for the first block.
      { bytesPerSecond: 1, signal: ending.signal },
    )
    await expect(verifying).rejects.toBe(reason)
  })
})
