import { cidOf } from '@hexachord/protocol/cids'
import { subjectOf, userSubject } from '@hexachord/protocol/names'
import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import { makeTemporaryFolder, type TemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { findTrack } from '@hexachord/sdk/finding'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { relay, sendToChain, signed, signedBlindly, verdictOf } from './direct-to-chain.ts'
import { refusalOf, refused } from './problems.ts'
import { makeRecording } from './recordings.ts'
import { newSubject } from './tus.ts'

const network = testNetwork()
const { creator, discovery, content } = network.urls
const [_holder = ''] = content

let folder: TemporaryFolder
let artist: Artist
let stranger: Artist
let upload: UploadAnswer
let track: Track

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  stranger = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'mine', seconds: 7 })
  ;({ upload, track } = await artist.release(file, { title: 'Mine' }))
}, 90_000)
afterAll(() => folder?.remove())

/** What a track action says, over the track as it stands. */
function contentOf(changes: Record<string, unknown> = {}) {
  return {
    prev: track.last.digest,
    ...upload.track,
    receipts: [],
    title: 'Mine',
    artist: 'Test artist',
    licence: 'CC0-1.0',
    rightsHeld: true,
    ...changes,
  }
}

const shortReceipts = () =>
  upload.receipts.map(({ operator, blockNumber, validUntil, signature }) => ({
    operator,
    blockNumber,
    validUntil,
    signature,
  }))

const relayed = (action: Parameters<typeof relay>[1], as = artist) => relay(creator, action, as)

describe('an action', () => {
  test('on a track of somebody else is refused by the relay, and rejected when it goes straight to the chain', async () => {
    const action = await signed(stranger, {
      kind: 'track',
      subject: track.id,
      content: contentOf({ title: 'Stolen' }),
    })
    expect(await refusalOf(await relayed(action, stranger))).toMatchObject({
      status: 403,
      problem: 'not-authorised',
    })
    await sendToChain(network, action)
    expect(await verdictOf(discovery, action.hash)).toMatchObject({
      status: 'rejected',
      verdict: 'notAuthorised',
    })
    expect((await findTrack(artist.connection, track.id)).title).toBe('Mine')
  })

  test('under an author’s name with another one’s track is refused and rejected', async () => {
    const written = { kind: 2, subject: track.id, content: contentOf() }
    const blind = await signedBlindly(
      stranger.account,
      artist.connection.domain,
      written,
      stranger.account.address,
    )
    expect((await refusalOf(await relayed(blind, stranger))).status).toBe(400)
    await sendToChain(network, blind)
    expect(await verdictOf(discovery, blind.hash)).toMatchObject({
      status: 'rejected',
      verdict: 'wrongSubject',
    })
  })

  test.each([
    ['no receipts', () => [], 'missing-receipts', 'missingReceipts'],
    ['one receipt of three', () => shortReceipts().slice(0, 1), 'missing-receipts', 'missingReceipts'],
    ['receipts for another track', () => shortReceipts(), 'invalid-receipt', 'invalidReceipt'],
  ])('that publishes new audio with %s is refused and rejected', async (name, receipts, problem, verdict) => {
    // One receipt is good for the artist's own track, but too few; three of another track are none at all.
    const subject = name === 'receipts for another track' ? newSubject(artist) : subjectOfTake(name)
    const prev = subject === track.id ? track.last.digest : null
    const manifest = await cidOf(new TextEncoder().encode(name), 'dag-json')
    const audio = name === 'no receipts' ? { manifest } : {}
    const content = contentOf({ prev, ...audio, receipts: receipts() })
    const action = await signed(artist, { kind: 'track', subject, content })
    expect(await refusalOf(await relayed(action))).toMatchObject({ status: 422, problem })
    await sendToChain(network, action)
    const status = await verdictOf(discovery, action.hash)
    expect(status).toMatchObject({ status: 'rejected', verdict })
    expect(status.reason).toMatch(/receipt/)
  })

  function subjectOfTake(name: string) {
    return name === 'no receipts' ? newSubject(artist) : track.id
  }

  test('that comes too late is refused, and reverts on the chain', async () => {
    const deadline = Math.floor(Date.now() / 1000) - 60
    const action = await signed(
      artist,
      { kind: 'track', subject: track.id, content: contentOf() },
      { deadline },
    )
    expect(await refusalOf(await relayed(action))).toMatchObject({ status: 400, problem: 'deadline-past' })
    await expect(sendToChain(network, action)).rejects.toThrow(/revert|Expired|Deadline/i)
  })

  test('that is sent twice is one action', async () => {
    const subject = userSubject(artist.account.address)
    const action = await signed(artist, { kind: 'user', subject, content: { prev: null, name: 'Once' } })
    const { hash } = action
    expect(await (await relayed(action)).json()).toEqual({ hash })
    expect(await (await relayed(action, stranger)).json()).toEqual({ hash })
    expect(await verdictOf(discovery, hash)).toMatchObject({ status: 'applied' })
    const again = await relayed(action)
    expect([again.status, await again.json()]).toEqual([202, { hash }])
    await expect(sendToChain(network, action)).rejects.toThrow(/revert|Nonce/i)
    const reused = { nonce: BigInt(action.nonce) }
    const other = await signed(
      artist,
      { kind: 'user', subject, content: { prev: hash, name: 'Twice' } },
      reused,
    )
    expect(await refusalOf(await relayed(other))).toMatchObject({ status: 409, problem: 'nonce-used' })
  })

  test('that builds on an old state is refused and rejected', async () => {
    const content = contentOf({ prev: null, receipts: shortReceipts() })
    const action = await signed(artist, { kind: 'track', subject: track.id, content })
    expect(await refusalOf(await relayed(action))).toMatchObject({ status: 409, problem: 'stale-prev' })
    await sendToChain(network, action)
    expect(await verdictOf(discovery, action.hash)).toMatchObject({ verdict: 'stalePrev' })
  })

  test.each([
    ['a field that is too long', { title: 'a'.repeat(201) }, /title/],
    ['a malformed CID', { manifest: 'bafynotacid' }, /manifest/],
    ['a field that nobody knows', { price: 5 }, /price|unrecognized/i],
    ['a control character', { title: 'a\u0000b' }, /title/],
    // Such a one once ended every index that read it.
    ['a length that nothing can measure', { title: { length: { toString: '' } } }, /length/],
  ])(
    'with %s is not signed by the client, refused by the relay and rejected by discovery',
    async (_, change, says) => {
      const content = contentOf(change)
      await expect(artist.write('track', track.id, content)).rejects.toThrow(says)
      const blind = await signedBlindly(artist.account, artist.connection.domain, {
        kind: 2,
        subject: track.id,
        content,
      })
      const refusal = await refusalOf(await relayed(blind))
      expect(refusal).toMatchObject({ status: 400, problem: 'malformed' })
      expect(refusal.detail).toMatch(says)
      await sendToChain(network, blind)
      expect(await verdictOf(discovery, blind.hash)).toMatchObject({
        status: 'rejected',
        verdict: 'malformed',
      })
    },
  )

  test('of a kind that nobody knows is refused and rejected', async () => {
    const written = { kind: 999, subject: newSubject(artist), content: { prev: null } }
    const blind = await signedBlindly(artist.account, artist.connection.domain, written)
    expect(await refusalOf(await relayed(blind))).toMatchObject({ status: 400, problem: 'unknown-kind' })
    await sendToChain(network, blind)
    expect(await verdictOf(discovery, blind.hash)).toMatchObject({ verdict: 'unknownKind' })
  })

  test('of more bytes than the chain takes is refused, and reverts on the chain', async () => {
    const content = contentOf({ description: 'a'.repeat(9000) })
    const blind = await signedBlindly(artist.account, artist.connection.domain, {
      kind: 2,
      subject: track.id,
      content,
    })
    expect((await refusalOf(await relayed(blind))).status).toBe(400)
    await expect(sendToChain(network, blind)).rejects.toThrow(/revert|ContentTooLong/i)
  })

  test('whose signature is another one’s is refused', async () => {
    const action = await signed(artist, { kind: 'track', subject: track.id, content: contentOf() })
    const { signature } = await signed(artist, {
      kind: 'track',
      subject: newSubject(artist),
      content: contentOf(),
    })
    expect((await refusalOf(await relayed({ ...action, signature }))).status).toBe(403)
    expect((await refusalOf(await relayed({ ...action, signature: '0x1234' }))).status).toBe(400)
  })

  test('that nobody has sent is not found', async () => {
    const hash = `0x${'12'.repeat(32)}`
    for (const origin of [creator, `${discovery}/v1`]) {
      expect(await refused(`${origin}/actions/${hash}`)).toMatchObject({
        status: 404,
        problem: 'unknown-action',
      })
      expect((await refused(`${origin}/actions/12`)).status).toBe(400)
    }
  })
})

describe('after all this', () => {
  test('the track is as it was', async () => {
    // Whether it is encrypted is known once its manifest was read.
    const { premium: _, ...known } = track
    expect(await findTrack(artist.connection, track.id)).toMatchObject(known)
  })

  test('every service is ready', async () => {
    for (const origin of [creator, discovery, ...content]) {
      expect((await fetch(`${origin}/ready`)).status).toBe(200)
    }
  })

  test('the artist can still publish', async () => {
    const subject = subjectOf(artist.account.address, 4242n)
    const { status } = await artist.write('playlist', subject, {
      prev: null,
      title: 'Best of',
      add: [{ track: track.id }],
    })
    expect(status).toMatchObject({ status: 'applied', subject })
  })
})
