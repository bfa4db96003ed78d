import { type Address, subjectFromBytes32 } from '@hexachord/protocol/names'
import { type Domain, signMessage } from '@hexachord/protocol/signing'
import vectors from '@hexachord/protocol/vectors/payments.json' with { type: 'json' }
import { afterEach, expect, jest, test } from '@jest/globals'
import { getBytes } from 'ethers'
import { keyFromPrivateKey } from '../keys/index.ts'
import { signOpening } from './sign-opening.ts'
import { readOffer } from './till.ts'

const domain = vectors.domains.escrow as Domain
const payer = vectors.payer as Address
const [own, session] = [vectors.privateKey, vectors.sessionPrivateKey].map((privateKey) =>
  keyFromPrivateKey(privateKey as `0x${string}`),
) as [ReturnType<typeof keyFromPrivateKey>, ReturnType<typeof keyFromPrivateKey>]

afterEach(() => {
  jest.restoreAllMocks()
})

test.each([
  ['opening', own],
  ['sessionOpening', session],
] as const)('an %s is signed as it is published', async (name, key) => {
  // Of the spread of openings it takes nothing.
  jest.spyOn(Math, 'random').mockReturnValue(0)
  const { message, signature } = vectors[name]
  const [node, curator] = [message.node as Address, message.curator as Address]
  const track = subjectFromBytes32(message.track as Address)
  const nowMs = message.expiresAt - 30_000
  const opening = await signOpening({ spender: { payer, key }, domain }, { node, track, curator }, nowMs)
  expect(opening).toEqual({
    ...{ payer, node, curator, subject: track },
    ...{ expiresAt: message.expiresAt, signature },
  })
})

test('a voucher is signed as it is published', async () => {
  const { message, signature } = vectors.sessionVoucher
  const voucher = {
    ...{ payer, node: message.node as Address, lines: getBytes(message.lines) },
    ...{ base: BigInt(message.base), cumulative: BigInt(message.cumulative) },
  }
  expect(await signMessage(session.signer, domain, 'Voucher', voucher)).toBe(signature)
})

test('an offer is taken as it is published, and with nothing else in it', async () => {
  const { message, signature } = vectors.offer
  const offer = { ...message, escrow: domain.verifyingContract, chainId: domain.chainId, signature }
  const operator = { operator: message.operator as Address, endpoint: message.endpoint, hotKey: payer }
  const read = (change: object) =>
    readOffer(async () => Response.json({ ...offer, ...change }), operator, {
      ...{ domain, now: () => message.expiresAt - 1 },
    })
  expect((await read({})).offer).toEqual(offer)
  await expect(read({ previewUnits: 3 })).rejects.toThrow('is not signed by the hot key')
})
