import { type Subject, subjectOf } from '@hexachord/protocol/names'
import { type KeptSecret, openSecret, sealSecret, segmentKey, signGate } from '@hexachord/protocol/premium'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import {
  addressOf,
  artist,
  aTrack,
  domain,
  here,
  key,
  listener,
  nodeKey,
  other,
  otherSecret,
  outcome,
  peerKey,
  put,
  random,
  refusal,
  salt,
  sealedToNode,
  secret,
  secrets,
  self,
  startKeyHolder,
  stranger,
  subject,
  ticksOfFour,
} from './fixtures/key-holder.ts'

beforeEach(startKeyHolder)
afterEach(() => here.server.close())

describe('a key holder', () => {
  test('gives the key of a segment that is paid for, and charges the unit of its time', async () => {
    expect(await put(await sealedToNode())).toEqual([204])
    for (const segment of [1, 2, 3]) {
      const response = await key(segment)
      expect(response.headers.get('cache-control')).toBe('no-store')
      const bytes = new Uint8Array(await response.arrayBuffer())
      expect(bytes).toEqual(segmentKey(secret, salt, segment).key)
    }
    expect(here.charged).toEqual([
      ['paid', 1],
      ['paid', 2],
      ['paid', 3],
    ])
  })

  test('gives none that is not paid for', async () => {
    await put(await sealedToNode())
    expect(await refusal(2, { session: 'broke' })).toEqual([402, 'payment-required'])
    expect(await refusal(2, { session: '' })).toEqual([402, 'payment-required'])
  })

  test('gives none before the artist has set a price or a gate', async () => {
    await put(await sealedToNode())
    for (here.price of [undefined, 0n]) expect(await refusal(2)).toEqual([403, 'no-price'])
  })

  test('gives none by a manifest that is not the track’s: it could put all of its time into one unit', async () => {
    await put(await sealedToNode())
    expect(await refusal(2, { manifest: here.forged.cid })).toEqual([404, 'not-its-manifest'])
    expect(here.charged).toEqual([])
  })

  test.each(['0', '4', '-1', '1e0', 'x', '99999'])('has no key %s', async (segment) => {
    await put(await sealedToNode())
    expect(await refusal(segment)).toEqual([404, 'no-such-key'])
  })

  test('takes a secret from the artist alone, and only one that was sealed to it for this track', async () => {
    expect(await put(await sealedToNode(), listener)).toEqual([403, 'not-the-author'])
    const elsewhere = sealSecret(secret, { subject, publicKey: peerKey.signingKey.publicKey }, random)
    const signed = await sealedToNode()
    expect(await put({ ...signed, sealed: elsewhere })).toEqual([400, 'invalid-secret'])
    const sixth = subjectOf(addressOf(artist), 6n)
    const proof = await signGate(artist, domain, { subject: sixth, gate: null, atMs: here.now })
    expect(await put({ ...signed, proof })).toEqual([400, 'invalid-gate'])
    const forSixth = { subject: sixth, publicKey: nodeKey.signingKey.publicKey }
    const sealed = sealSecret(secret, forSixth, random)
    expect(await put({ ...signed, sealed })).toEqual([400, 'invalid-secret'])
    expect((await put({ sealed: '0x', gate: null }))[0]).toBe(400)
    expect((await put(await sealedToNode(), artist, 'nobody'))[1]).toBe('malformed-subject')
    expect(secrets.get(subject)).toBeUndefined()
  })

  test('takes no secret of what is not published, not premium, or opened by others alone', async () => {
    here.isPublished = false
    expect(await put(await sealedToNode())).toEqual([404, 'unknown-track'])
    here.isPublished = true
    here.track = await aTrack(ticksOfFour)
    expect(await put(await sealedToNode())).toEqual([404, 'not-premium'])
    here.track = await aTrack(ticksOfFour, [other])
    expect(await put(await sealedToNode())).toEqual([404, 'not-a-key-holder'])
    const fresh = Wallet.createRandom()
    here.controller = new Wallet(fresh.privateKey)
    expect(
      await put(await sealedToNode(), here.controller, subjectOf(addressOf(here.controller), 9n)),
    ).toEqual([404, 'unknown-track'])
    expect(secrets.get(subject)).toBeUndefined()
  })

  test('takes no secret that does not open the track, nor one that it cannot try', async () => {
    const wrong = () => sealedToNode(null, { of: otherSecret })
    expect(await put(await wrong())).toEqual([409, 'wrong-secret'])
    here.blocksAway = true
    expect((await put(await sealedToNode()))[0]).toBe(502)
    expect(secrets.get(subject)).toBeUndefined()
    here.blocksAway = false
    expect(await put(await sealedToNode())).toEqual([204])
    // Whose key was rotated has another secret for the same track.
    here.controller = listener
    expect(await put(await sealedToNode(null, { by: listener, of: otherSecret }), listener)).toEqual([
      409,
      'wrong-secret',
    ])
    expect((await key(2)).status).toBe(200)
  })

  test('takes the secret of music that has taken the place of other music', async () => {
    await put(await sealedToNode())
    here.track = await aTrack(ticksOfFour, [self, other], otherSecret)
    expect(await put(await sealedToNode(null, { of: otherSecret }))).toEqual([204])
    const bytes = new Uint8Array(await (await key(1)).arrayBuffer())
    expect(bytes).toEqual(segmentKey(otherSecret, salt, 1).key)
  })

  test('that has no secret gets it from another one, once', async () => {
    expect(await refusal(2)).toEqual([503, 'secret-unknown'])
    here.atOthers = [await sealedToNode()]
    expect((await key(2)).status).toBe(200)
    here.atOthers = []
    expect((await key(3)).status).toBe(200)
  })

  test('whose hot key is another now gets the secret anew, and charges nobody while it has none', async () => {
    const elsewhere = sealSecret(secret, { subject, publicKey: peerKey.signingKey.publicKey }, random)
    secrets.set(subject, { sealed: elsewhere, gate: null })
    expect(await refusal(2)).toEqual([503, 'secret-unknown'])
    expect(here.charged).toEqual([])
    here.atOthers = [await sealedToNode()]
    expect((await key(2)).status).toBe(200)
  })

  test('that the artist took from the list gives none any more', async () => {
    await put(await sealedToNode())
    here.track = await aTrack(ticksOfFour, [other])
    expect(await refusal(2)).toEqual([404, 'not-a-key-holder'])
  })
})

describe('another key holder', () => {
  const sealed = (publicKey = peerKey.signingKey.compressedPublicKey, name: Subject = subject) =>
    fetch(`${here.server.origin}/premium/${name}/sealed?publicKey=${publicKey}`)

  test('is given the secret, sealed to its own key', async () => {
    await put(await sealedToNode({ kind: 'follower' }))
    const given = (await (await sealed()).json()) as KeptSecret
    expect([given.gate, given.proof]).toEqual([{ kind: 'follower' }, secrets.get(subject)?.proof])
    expect(openSecret(given.sealed, { subject, privateKey: peerKey.privateKey })).toEqual(secret)
  })

  test('is not, if it is not on the list of the artist, or names the key of somebody else', async () => {
    await put(await sealedToNode())
    expect(await outcome(await sealed(nodeKey.signingKey.compressedPublicKey))).toEqual([403, 'not-your-key'])
    here.peer = { operator: stranger, hotKey: addressOf(peerKey) }
    expect(await outcome(await sealed())).toEqual([403, 'not-a-key-holder'])
    expect((await outcome(await sealed('0x02')))[0]).toBe(400)
  })
})
