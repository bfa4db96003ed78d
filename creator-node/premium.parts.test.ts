import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type LoadedTrack, loadTrack } from '@hexachord/protocol/manifests'
import { decryptSegment, newTrackSecret, sealSecret, segmentKey } from '@hexachord/protocol/premium'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Wallet } from 'ethers'
import { aSubject, refusalOf, sendFile } from './fixtures/send-file.ts'
import { decodedHash, makeMusic } from './fixtures/test-music.ts'
import { fresh } from './fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from './fixtures/test-world.ts'

const random = (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes)
const keyHolder = `0x${'aa'.repeat(20)}`

let world: TestWorld
let song: string
let artist: Wallet
const secret = newTrackSecret(random)
beforeAll(async () => {
  world = await startTestWorld()
  song = await makeMusic(world.folder, 'song.flac', { seconds: 14 })
  artist = fresh()
}, 60_000)
afterAll(() => world.close())

const blockOf = async (cid: string) => {
  const response = await fetch(`${world.node.origin}/ipfs/${cid}?format=raw`)
  if (response.status !== 200) throw new Error(`${cid}: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

function premium({ clearMs = 0, number = 1n, sealedTo = world.node.hotPublicKey } = {}): string {
  const subject = aSubject(artist, number)
  const sealed = sealSecret(secret, { subject, publicKey: sealedTo }, random)
  return JSON.stringify({ sealed, clearMs, keyHolders: [keyHolder] })
}

async function uploaded(number: bigint, metadata: Record<string, string>): Promise<LoadedTrack> {
  const id = await sendFile(world.node, artist, song, { subject: aSubject(artist, number), metadata })
  const { track, reused } = await world.until(id, 'replicating', 'failed')
  expect(reused).toBe(false)
  return loadTrack(track?.manifest ?? '', blockOf)
}

/** A rendition's file, opened with its keys where it is encrypted. */
async function fileOf({ renditions }: LoadedTrack, index: number, name: string): Promise<string> {
  const { init, segments, encryption } = renditions[index] ?? {}
  const open = async (cid: string, place: number) => {
    const bytes = await blockOf(cid)
    if (encryption === undefined || place < encryption.clearSegments) return bytes
    return decryptSegment(bytes, segmentKey(secret, encryption.salt, place))
  }
  const links = segments?.map(([, , link], place) => open(link['/'], place)) ?? []
  const path = join(world.folder, name)
  await writeFile(path, Buffer.concat(await Promise.all([open(init?.data['/'] ?? '', 0), ...links])))
  return path
}

const cidsOf = ({ renditions }: LoadedTrack) =>
  renditions.map(({ init, segments }) => [init.data['/'], ...segments.map(([, , link]) => link['/'])])

describe('a premium upload', () => {
  test('becomes a track that is the free one, encrypted, in each of its renditions', async () => {
    const free = await uploaded(1n, {})
    const hidden = await uploaded(2n, { premium: premium({ number: 2n }) })
    expect(hidden.manifest.keyHolders).toEqual([keyHolder])
    expect(hidden.renditions.map(({ codec }) => codec)).toEqual(free.renditions.map(({ codec }) => codec))
    for (const [index, { segments, encryption }] of hidden.renditions.entries()) {
      expect(encryption).toMatchObject({ method: 'AES-128', clearSegments: 0 })
      expect(segments.map(([ticks]) => ticks)).toEqual(
        free.renditions[index]?.segments.map(([ticks]) => ticks),
      )
      const [opened, clear] = [
        await fileOf(hidden, index, 'hidden.mp4'),
        await fileOf(free, index, 'free.mp4'),
      ]
      expect((await readFile(opened)).equals(await readFile(clear))).toBe(true)
      expect(await decodedHash(opened)).toBe(await decodedHash(clear))
    }
    const clearBlocks = new Set(cidsOf(free).flat())
    expect(
      cidsOf(hidden)
        .flat()
        .filter((cid) => clearBlocks.has(cid)),
    ).toEqual([])
  }, 90_000)

  test('has a preview of whole segments, which are those of the free track', async () => {
    const track = await uploaded(4n, { premium: premium({ number: 4n, clearMs: 11_999 }) })
    for (const [index, { segments, encryption, init }] of track.renditions.entries()) {
      const seconds = Math.round((segments[0]?.[0] ?? 0) / (track.renditions[index]?.timescale ?? 1))
      expect(encryption?.clearSegments).toBe(Math.floor(11.999 / seconds))
      expect(
        Buffer.from(await blockOf(init.data['/']))
          .subarray(4, 8)
          .toString(),
      ).toBe('ftyp')
    }
  }, 90_000)

  test('of the same file under the same secret has other keys: what replaces a track is bought anew', async () => {
    const sameSecret = { premium: premium({ number: 5n }) }
    const first = new Set(cidsOf(await uploaded(5n, sameSecret)).flat())
    const second = cidsOf(await uploaded(5n, sameSecret)).flat()
    expect(second.filter((cid) => first.has(cid))).toEqual([])
  }, 90_000)
})

describe('a premium upload is refused', () => {
  const refused = (number: bigint, metadata: Record<string, string>) =>
    refusalOf(sendFile(world.node, artist, song, { subject: aSubject(artist, number), metadata }))

  test('when its secret was sealed to another node, or for another track', async () => {
    const stranger = premium({ number: 6n, sealedTo: fresh().signingKey.publicKey })
    expect(await refused(6n, { premium: stranger })).toEqual({ status: 400, type: 'invalid-secret' })
    expect(await refused(6n, { premium: premium({ number: 7n }) })).toEqual({
      status: 400,
      type: 'invalid-secret',
    })
  })

  test('when it is malformed, or wants the file itself beside it', async () => {
    expect(await refused(6n, { premium: '{' })).toEqual({ status: 400, type: 'invalid-premium' })
    expect(await refused(6n, { premium: '{}' })).toMatchObject({ status: 400 })
    const both = { premium: premium({ number: 6n }), keepOriginal: 'true' }
    expect(await refused(6n, both)).toEqual({ status: 400, type: 'premium-with-original' })
  })
})
