import { type Hash, subjectOf } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import { contentName, creatorName } from '@hexachord/scripts/local-network'
import {
  type BreakableNetwork,
  eventually,
  makeTemporaryFolder,
  startTestNetwork,
  type TemporaryFolder,
} from '@hexachord/scripts/testing'
import { createKey } from '@hexachord/sdk/keys'
import { openTrack, playSegments } from '@hexachord/sdk/playing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { wholeTrackOf } from './node-blocks.ts'
import { refused } from './problems.ts'
import { makeRecording } from './recordings.ts'

/** One content service honours the office's notices, and the creator node; two content services do not. */
const honouring = [contentName(0), creatorName]
const office = createKey()
let network: BreakableNetwork
let folder: TemporaryFolder
let artist: Artist
let clerk: Artist
let track: Track
let other: Track
const notice = subjectOf(office.address, 1n)
let noticeHash: Hash

beforeAll(async () => {
  network = await startTestNetwork({
    signal: new AbortController().signal,
    adjustService: (plan) =>
      honouring.includes(plan.name)
        ? { ...plan, variables: { ...plan.variables, HONOUR_NOTICES_OF: office.address } }
        : plan,
  })
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  clerk = await newArtist(network, office)
  const recording = await makeRecording(folder.path, { name: 'claimed', seconds: 14 })
  ;({ track } = await artist.release(recording, { title: 'Claimed by an office' }))
  const second = await makeRecording(folder.path, { name: 'unclaimed', seconds: 8 })
  ;({ track: other } = await artist.release(second, { title: 'Claimed by nobody' }))
}, 180_000)
afterAll(async () => {
  await network?.remove()
  await folder?.remove()
})

const honourer = () => network.urls.content[0] ?? ''
const others = () => network.urls.content.slice(1)

type Status = { takedowns: { notices: number; tracks: number }; held: number; releasing: number }

async function statusOf(origin: string, signal?: AbortSignal): Promise<Status> {
  const response = await fetch(`${origin}/status`, { signal: signal ?? AbortSignal.timeout(5_000) })
  return (await response.json()) as Status
}

const untilStatus = (origin: string, describe: string, until: (status: Status) => boolean) =>
  eventually((signal) => statusOf(origin, signal), {
    describe,
    deadlineMs: 20_000,
    logDirectory: network.logDirectory,
    until,
  })

const publicPaths = (manifest: string) => [
  `/ipfs/${manifest}?format=raw`,
  `/ipfs/${manifest}?format=car`,
  `/hls/${manifest}/master.m3u8`,
  `/audio/${manifest}`,
  `/originals/${manifest}`,
  `/manifests/${manifest}/receipts`,
]

describe('a notice about a track', () => {
  test('is gone where its author is honoured, with whose notice it was, and why', async () => {
    ;({ hash: noticeHash } = await clerk.write('notice', notice, {
      ...{ prev: null, track: track.id, ground: 'copyright' },
      statement: 'A statement that only the chain repeats',
    }))
    for (const origin of [honourer(), network.urls.creator]) {
      await untilStatus(origin, `the notice at ${origin}`, ({ takedowns }) => takedowns.tracks === 1)
      for (const path of publicPaths(track.manifest)) {
        const refusal = await refused(origin + path)
        expect([path, refusal.status, refusal.problem]).toEqual([path, 410, 'taken-down'])
        expect(refusal.detail).toContain(notice)
        expect(refusal.detail).toContain('copyright')
        expect(refusal.detail).not.toContain('A statement')
      }
      expect((await fetch(`${origin}/ipfs/${track.manifest}`, { method: 'HEAD' })).status).toBe(410)
    }
    await untilStatus(honourer(), 'the copy on its way out', ({ releasing }) => releasing === 1)
  }, 60_000)

  test('plays on from those who do not honour it, and the one who does counts as no liar', async () => {
    for (const origin of others()) await wholeTrackOf(origin, track.manifest)
    const opened = await openTrack(artist.connection, track)
    let heard = 0
    for await (const part of playSegments(opened, 0)) heard += 'init' in part ? 0 : 1
    expect(heard).toBeGreaterThan(1)
    expect(opened.quality().filter(({ state }) => state === 'dropped')).toEqual([])
  }, 30_000)

  test('touches no other track', async () => {
    for (const origin of network.urls.content) await wholeTrackOf(origin, other.manifest)
  })

  test('leaves what a second track has, too, for as long as no notice is about that one', async () => {
    const upload = await artist.upload(`${folder.path}/unclaimed.flac`)
    const twin = await artist.publish(upload, { title: 'The same once more' })
    expect(twin.manifest).toBe(other.manifest)
    await untilStatus(honourer(), 'both are held', ({ held }) => held === 2)
    const about = subjectOf(office.address, 2n)
    const content = { track: other.id, ground: 'impersonation', statement: 'Not by whom it says' }
    await clerk.write('notice', about, { prev: null, ...content })
    await untilStatus(honourer(), 'both notices', ({ takedowns }) => takedowns.tracks === 2)
    await wholeTrackOf(honourer(), twin.manifest)
    const aboutTwin = { track: twin.id, ground: 'other', statement: 'Nor is this one' }
    await clerk.write('notice', subjectOf(office.address, 3n), { prev: null, ...aboutTwin })
    await untilStatus(honourer(), 'all notices', ({ takedowns }) => takedowns.tracks === 3)
    expect((await refused(`${honourer()}/ipfs/${twin.manifest}`)).status).toBe(410)
  }, 60_000)

  test('stands in a list that other software can honour', async () => {
    const response = await fetch(`${honourer()}/denylist`)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const text = await response.text()
    expect(text).toContain(`# track ${track.id}, notice ${notice}`)
    expect(text).not.toContain(track.manifest)
    const etag = response.headers.get('etag') ?? ''
    const again = await fetch(`${honourer()}/denylist`, { headers: { 'if-none-match': etag } })
    expect(again.status).toBe(304)
    const elsewhere = await (await fetch(`${others()[0]}/denylist`)).text()
    expect(elsewhere).not.toContain(track.id)
  })

  test('keeps its track from being uploaded again where it is honoured', async () => {
    const again = artist.upload(`${folder.path}/claimed.flac`, { subject: track.id, patienceMs: 2_000 })
    await expect(again).rejects.toMatchObject({ status: 403, problem: 'urn:hexachord:problem:taken-down' })
  })

  test('that is withdrawn denies no more, and the copy that is still here is held again', async () => {
    await clerk.write('delete', notice, { prev: noticeHash })
    for (const origin of [honourer(), network.urls.creator]) {
      await untilStatus(origin, `one notice less at ${origin}`, ({ takedowns }) => takedowns.tracks === 2)
    }
    await untilStatus(honourer(), 'the copy is held again', ({ held }) => held === 1)
    await wholeTrackOf(honourer(), track.manifest)
    expect(await (await fetch(`${honourer()}/denylist`)).text()).not.toContain(track.id)
  }, 60_000)
})
