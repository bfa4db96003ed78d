import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { signGrant } from '@hexachord/protocol/offers'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Wallet } from 'ethers'
import { aSubject, sendFile, tokenOf } from '../fixtures/send-file.ts'
import { makeMusic } from '../fixtures/test-music.ts'
import { fresh } from '../fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from '../fixtures/test-world.ts'
import { leastSpentBytes } from '../uploads/index.ts'

let world: TestWorld
let song: string
let songBytes: Buffer
let sha256: string
let artist: Wallet
let first: UploadAnswer
beforeAll(async () => {
  world = await startTestWorld({ operators: 3 })
  song = await makeMusic(world.folder, 'song.flac', { seconds: 8, options: ['-metadata', 'title=Song'] })
  songBytes = await readFile(song)
  sha256 = `0x${createHash('sha256').update(songBytes).digest('hex')}`
  artist = fresh()
  first = await world.ended(await sendFile(world.node, artist, song))
  expect(first).toMatchObject({ state: 'ready', reused: false, copies: 3, heldCopies: 3, neededCopies: 2 })
}, 120_000)
afterAll(() => world.close())

describe('a file that was uploaded before', () => {
  test('is not made into a track again, is not counted, and is replicated under its new name', async () => {
    const before = await spentBytes()
    const subject = aSubject(artist, 2n)
    const again = await world.ended(await sendFile(world.node, artist, song, { subject }))
    expect(again).toMatchObject({ state: 'ready', reused: true, track: first.track, tags: { title: 'Song' } })
    expect(again.renditions.map(({ state }) => state)).toEqual(first.renditions.map(() => 'done'))
    expect(again.receipts.map((receipt) => receipt.subject)).toEqual([subject, subject, subject])
    expect(await spentBytes()).toBe(before + leastSpentBytes)
  }, 60_000)

  test('need not be sent by whom it came from: its hash is enough', async () => {
    const created = await create(artist, 3n)
    expect([created.status, created.headers.get('upload-offset')]).toEqual([201, String(songBytes.length)])
    const id = created.headers.get('location')?.split('/').at(-1) ?? ''
    const upload = await world.ended(id)
    expect(upload).toMatchObject({ state: 'ready', reused: true, track: first.track })
    expect(upload.receivedBytes).toBe(songBytes.length)
  }, 60_000)

  test('is not given to a stranger who names its hash, but to one who has it', async () => {
    const stranger = fresh()
    const created = await create(stranger, 1n)
    expect([created.status, created.headers.get('upload-offset')]).toEqual([201, null])
    const answer = await fetch(created.headers.get('location') ?? '')
    expect(await answer.json()).toMatchObject({
      state: 'receiving',
      reused: false,
      track: null,
      playable: null,
    })
    const sent = await world.ended(await sendFile(world.node, stranger, song))
    expect(sent).toMatchObject({ state: 'ready', reused: true, track: first.track })
  }, 60_000)

  test('is made anew when something else is wanted of it', async () => {
    const options = { subject: aSubject(artist, 5n), metadata: { sha256, keepOriginal: 'true' } }
    const id = await sendFile(world.node, artist, song, options)
    const upload = await world.ended(id)
    expect(upload).toMatchObject({
      ...{ state: 'ready', reused: false },
      original: { doneBytes: songBytes.length, byteLength: songBytes.length },
    })
    expect(upload.track?.manifest).not.toBe(first.track?.manifest)
    expect(upload.track?.byteLength).toBeGreaterThan((first.track?.byteLength ?? 0) + songBytes.length)
  }, 60_000)
})

describe('an original that its artist wants to be part of the track', () => {
  let manifest: string
  beforeAll(async () => {
    const options = {
      subject: aSubject(artist, 6n),
      metadata: { keepOriginal: 'true', filetype: 'audio/flac' },
    }
    const upload = await world.ended(await sendFile(world.node, artist, song, options))
    expect(upload.blocks).toBeGreaterThan(first.blocks)
    manifest = upload.track?.manifest ?? ''
  }, 60_000)

  test('can be had from the node as it was, under its name', async () => {
    const response = await fetch(`${world.node.origin}/originals/${manifest}`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="song.flac"')
    expect(Buffer.from(await response.arrayBuffer()).equals(songBytes)).toBe(true)
  })

  test('is held by the operators, as every other block of the track', async () => {
    const held = world.operators.map(({ blocks }) => [...blocks.values()].map(({ length }) => length))
    for (const lengths of held) expect(lengths).toContain(songBytes.length % (1 << 20))
  })

  test('is not there where nobody asked for it', async () => {
    const response = await fetch(`${world.node.origin}/originals/${first.track?.manifest}`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ type: 'urn:hexachord:problem:no-original' })
  })

  test('must fit into what the author has granted', async () => {
    const sending = sendFile(world.node, artist, song, {
      ...{ subject: aSubject(artist, 7n), metadata: { keepOriginal: 'true' } },
      grant: { byteLimit: songBytes.length - 1 },
    })
    await expect(sending).rejects.toThrow('grant-too-small')
  })
})

async function spentBytes(): Promise<number> {
  const status = (await (await fetch(`${world.node.origin}/status`)).json()) as { today: { bytes: number } }
  return status.today.bytes
}

/** Begins an upload of the song and sends nothing. */
async function create(author: Wallet, number: bigint): Promise<Response> {
  const grant = await signGrant(author, world.node.domain, {
    ...{ subject: aSubject(author, number), audience: world.node.origin, byteLimit: 1_000_000_000 },
    expiresAt: Date.now() + 3_600_000,
  })
  const encode = (text: string) => Buffer.from(text).toString('base64')
  const metadata = { filename: 'song.flac', sha256, grant: JSON.stringify(grant) }
  return fetch(`${world.node.origin}/uploads`, {
    method: 'POST',
    headers: {
      ...{ 'Tus-Resumable': '1.0.0', 'Upload-Length': String(songBytes.length) },
      Authorization: await tokenOf(author, world.node),
      'Upload-Metadata': Object.entries(metadata)
        .map(([name, value]) => `${name} ${encode(value)}`)
        .join(','),
    },
  })
}
