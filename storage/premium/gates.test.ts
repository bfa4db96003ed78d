import { followKey } from '@hexachord/protocol/actions'
import type { KeptSecret } from '@hexachord/protocol/premium'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { AbiCoder, type Wallet } from 'ethers'
import {
  addressOf,
  artist,
  here,
  key,
  listener,
  outcome,
  peerKey,
  put,
  refusal,
  sealedToNode,
  secrets,
  startKeyHolder,
  stranger,
  subject,
  tokenOf,
} from './fixtures/key-holder.ts'

beforeEach(startKeyHolder)
afterEach(() => here.server.close())

describe('a gate', () => {
  test('for followers opens to who follows the artist, and to the artist', async () => {
    here.price = undefined
    await put(await sealedToNode({ kind: 'follower' }))
    expect(await refusal(2)).toEqual([401, 'invalid-token'])
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    here.entries.set(followKey(addressOf(listener), addressOf(artist)), { on: true })
    expect((await key(2, { account: listener })).status).toBe(200)
    here.entries.set(followKey(addressOf(listener), addressOf(artist)), { on: false })
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    expect((await key(2, { account: artist })).status).toBe(200)
    expect(here.charged).toEqual([])
  })

  test('for followers is closed to a key that has handed its account on, and open to who has that of the artist now', async () => {
    here.price = undefined
    here.entries.set(followKey(addressOf(listener), addressOf(artist)), { on: true })
    await put(await sealedToNode({ kind: 'follower' }))
    here.controllers.set(addressOf(listener), stranger)
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    here.controllers.set(addressOf(artist), addressOf(peerKey))
    await put(await sealedToNode({ kind: 'follower' }, { by: peerKey }), peerKey)
    expect(await refusal(2, { account: artist })).toEqual([403, 'gate-closed'])
    expect((await key(2, { account: peerKey })).status).toBe(200)
  })

  test.each(['erc20', 'erc721', 'erc1155'] as const)(
    'for holders of an %s opens to who has enough',
    async (standard) => {
      here.price = undefined
      await put(await sealedToNode({ kind: 'holder', standard, contract: stranger, least: '3' }))
      const balance = (amount: number) => async () => AbiCoder.defaultAbiCoder().encode(['uint256'], [amount])
      here.tokenBalance = balance(2)
      expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
      here.tokenBalance = balance(3)
      expect((await key(2, { account: listener })).status).toBe(200)
      here.tokenBalance = () => Promise.reject(new Error('the node is away'))
      expect(await refusal(2, { account: listener })).toEqual([503, 'gate-unknown'])
    },
  )

  test('says to everybody what it is, and to an account whether it is let in, before that pays', async () => {
    const ask = async (account?: Wallet) => {
      const headers = new Headers(account && [['authorization', await tokenOf(account)]])
      return fetch(`${here.server.origin}/premium/${subject}`, { headers })
    }
    expect(await outcome(await ask())).toEqual([503, 'secret-unknown'])
    await put(await sealedToNode())
    expect(await (await ask()).json()).toEqual({ gate: null, atMs: here.now })
    await put(await sealedToNode({ kind: 'follower' }))
    expect(await (await ask()).json()).toEqual({ gate: { kind: 'follower' }, atMs: here.now })
    expect(await outcome(await ask(listener))).toEqual([403, 'gate-closed'])
    here.entries.set(followKey(addressOf(listener), addressOf(artist)), { on: true })
    expect((await ask(listener)).status).toBe(200)
    expect(here.charged).toEqual([])
  })

  test('is set without the secret where that is known, also by a key that came later', async () => {
    const gateOnly = async (by: Wallet) => {
      const { sealed: _, ...rest } = await sealedToNode({ kind: 'follower' }, { by })
      return rest
    }
    expect(await put(await gateOnly(artist))).toEqual([503, 'secret-unknown'])
    await put(await sealedToNode())
    here.controller = listener
    expect(await put(await gateOnly(artist), listener)).toEqual([400, 'invalid-gate'])
    expect(await put(await gateOnly(listener), listener)).toEqual([204])
    expect(secrets.get(subject)?.gate).toEqual({ kind: 'follower' })
    // An artist passes by the key of today, and has the keys that the first one made.
    expect((await key(2, { account: listener })).status).toBe(200)
    expect(await refusal(2, { account: artist })).toEqual([403, 'gate-closed'])
  })

  test('of a track with a price lets nobody through who has not paid', async () => {
    await put(await sealedToNode({ kind: 'follower' }))
    here.entries.set(followKey(addressOf(listener), addressOf(artist)), { on: true })
    expect(await refusal(2, { account: listener, session: 'broke' })).toEqual([402, 'payment-required'])
    expect((await key(2, { account: listener })).status).toBe(200)
    expect(here.charged).toEqual([['paid', 2]])
  })
})

describe('a gate that was set while this key holder was away', () => {
  const followers = { kind: 'follower' } as const
  const hour = 3_600_000
  const gateNow = async () => (await fetch(`${here.server.origin}/premium/${subject}`)).json()

  test('is learnt from another one before a key is given, and kept', async () => {
    await put(await sealedToNode(null, { atMs: here.now - hour }))
    here.atOthers = [await sealedToNode(null, { atMs: here.now - 2 * hour }), await sealedToNode(followers)]
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    expect(here.charged).toEqual([])
    here.atOthers = []
    here.now += hour
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    expect(secrets.get(subject)?.gate).toEqual(followers)
  })

  test('is asked for once a minute, by any number of requests', async () => {
    await put(await sealedToNode(null, { atMs: here.now - hour }))
    await Promise.all([key(1), key(2), key(3)])
    await key(1)
    expect(here.asked).toBe(1)
    here.now += 60_000
    here.atOthers = [await sealedToNode(followers)]
    expect(await gateNow()).toEqual({ gate: followers, atMs: here.now })
    expect(here.asked).toBe(2)
  })

  test.each([
    ['nobody has signed', async () => ({ ...(await sealedToNode(followers)), proof: undefined })],
    ['somebody else has signed', () => sealedToNode(followers, { by: peerKey })],
    [
      'was signed for another gate',
      async () => ({ ...(await sealedToNode(followers)), gate: { ...followers, kind: 'holder' } as never }),
    ],
    ['is of a time to come', () => sealedToNode(followers, { atMs: here.now + hour })],
    ['is older', () => sealedToNode(followers, { atMs: here.now - 2 * hour })],
  ])('counts for nothing when it %s', async (_, told) => {
    const open = { kind: 'holder', standard: 'erc721', contract: stranger, least: '1' } as const
    await put(await sealedToNode(open, { atMs: here.now - hour }))
    here.atOthers = [(await told()) as KeptSecret]
    expect(await gateNow()).toEqual({ gate: open, atMs: here.now - hour })
  })

  test('takes the place of one that came before gates were signed', async () => {
    const { proof: _, ...unsigned } = await sealedToNode()
    secrets.set(subject, unsigned)
    expect(await gateNow()).toEqual({ gate: null })
    here.now += hour
    here.atOthers = [await sealedToNode(followers)]
    expect(await gateNow()).toEqual({ gate: followers, atMs: here.now })
  })

  test('is not taken back by the artist’s own older word, nor set for a time to come, nor unsigned', async () => {
    await put(await sealedToNode(followers))
    expect(await put(await sealedToNode(null, { atMs: here.now - 1 }))).toEqual([409, 'older-gate'])
    expect(await put(await sealedToNode(null, { atMs: here.now + hour }))).toEqual([400, 'invalid-gate'])
    const { proof: _, ...unsigned } = await sealedToNode()
    expect(await put(unsigned)).toEqual([400, 'invalid-gate'])
    expect(await put(await sealedToNode(null, { by: listener }))).toEqual([400, 'invalid-gate'])
    expect(await put(await sealedToNode(null))).toEqual([204])
  })
})
