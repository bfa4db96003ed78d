import assert from 'node:assert/strict'
import { actionHash, kinds, openAction, signAction, signedActionSchema } from '@hexachord/protocol/actions'
import { cidOf } from '@hexachord/protocol/cids'
import { type Address, type Hash, subjectOf } from '@hexachord/protocol/names'
import {
  grantSchema,
  offerSchema,
  signGrant,
  signOffer,
  verifyGrant,
  verifyOffer,
} from '@hexachord/protocol/offers'
import { receiptSchema, receiptSigner, signReceipt } from '@hexachord/protocol/receipts'
import { type Domain, signerOf } from '@hexachord/protocol/signing'
import {
  createAppPasswordToken,
  createNodeToken,
  createToken,
  openAppPasswordToken,
  verifyNodeToken,
  verifyToken,
} from '@hexachord/protocol/tokens'
import { examplePrivateKey } from '@hexachord/protocol/vectors'
import { Wallet } from 'ethers'
import { named, never, type Target, textTarget } from '../target.ts'

const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 31_337,
  verifyingContract: `0x${'aa'.repeat(20)}`,
}
const now = 1_700_000_000_000
const audience = 'https://node.example'
const key = new Wallet(examplePrivateKey)
const me = key.address.toLowerCase() as Address
const subject = subjectOf(me, 7n)
const request = { audience, method: 'GET', path: '/uploads/7/blocks?after=3' }

/** Reads what a schema takes, as it comes: JSON of a body or a header. @returns undefined for what it does not take */
function taken<T>(
  schema: { safeParse(value: unknown): { data?: T | undefined } },
  text: string,
): T | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  return schema.safeParse(value).data
}

/** A token with its JSON laid open, so that mutations reach it. */
function opened(header: string): string {
  return Buffer.from(header.slice('Hexachord '.length), 'base64url').toString()
}

const closed = (json: string) => `Hexachord ${Buffer.from(json).toString('base64url')}`

export async function targets(): Promise<readonly Target[]> {
  const token = await createToken(key, domain, { audience, expiresAt: now + 1000 })
  const nodeToken = await createNodeToken(key, domain, { ...request, expiresAt: now + 1000 })
  const nonce: Hash = `0x${'0e'.repeat(32)}`
  const passwordToken = await createAppPasswordToken(key, domain, {
    ...{ audience, device: 'Küche №1', nonce, expiresAt: now + 1000 },
  })
  const grant = await signGrant(key, domain, { subject, audience, byteLimit: 5_000, expiresAt: now + 1000 })
  const offer = await signOffer(key, domain, {
    ...{ operator: me, to: me, subject, source: `${audience}/uploads/1/blocks` },
    ...{ byteLimit: 5_000, expiresAt: now + 1000, grant },
  })
  const receipt = await signReceipt(key, domain, {
    ...{ operator: me, subject, manifest: await cidOf(new Uint8Array([1]), 'dag-json') },
    ...{ storageRoot: `0x${'5a'.repeat(32)}` as Hash, leafCount: 4, byteLength: 900 },
    ...{ blockNumber: 90, validUntil: 1_700_000_000 },
  })
  const { hash: _, ...action } = await signAction(key, domain, {
    ...{ author: me, nonce: 2n ** 255n, kind: 'user', subject: subjectOf(me, 0n), deadline: 1_700_000_000 },
    content: { prev: null, name: 'Guido', links: ['https://guido.example/'] },
  })
  const { signature } = grant
  return [
    textTarget({
      name: 'protocol/signed/token',
      seeds: [token],
      refuses: named('TokenError'),
      read: (header) => assert.equal(verifyToken(header, { domain, audience, now }), me),
    }),
    textTarget({
      name: 'protocol/signed/token-inside',
      seeds: [opened(token)],
      refuses: named('TokenError'),
      read: (json) => assert.equal(verifyToken(closed(json), { domain, audience, now }), me),
    }),
    textTarget({
      name: 'protocol/signed/node-token-inside',
      seeds: [opened(nodeToken)],
      refuses: named('TokenError'),
      read: (json) => assert.equal(verifyNodeToken(closed(json), { domain, ...request, now }), me),
    }),
    textTarget({
      name: 'protocol/signed/app-password-token-inside',
      seeds: [opened(passwordToken)],
      refuses: named('TokenError'),
      read(json) {
        const asked = openAppPasswordToken(closed(json), { domain, audience, now })
        // Nothing of it can be changed without another signer coming out.
        if (asked.signer === me) assert.deepEqual([asked.account, asked.nonce], [me, nonce])
      },
    }),
    textTarget({
      name: 'protocol/signed/grant',
      seeds: [JSON.stringify(grant)],
      refuses: named('GrantError'),
      read(text) {
        const found = taken(grantSchema, text)
        if (found) assert.match(verifyGrant(found, { domain, audience, now }), /^0x[0-9a-f]{40}$/)
      },
    }),
    textTarget({
      name: 'protocol/signed/offer',
      seeds: [JSON.stringify(offer)],
      refuses: named('OfferError'),
      read(text) {
        const found = taken(offerSchema, text)
        if (found) assert.match(verifyOffer(found, { domain, to: me, now }), /^0x[0-9a-f]{40}$/)
      },
    }),
    textTarget({
      name: 'protocol/signed/receipt',
      seeds: [JSON.stringify(receipt)],
      refuses: never,
      read(text) {
        const found = taken(receiptSchema, text)
        const signer = found && receiptSigner(found, domain)
        // Nothing of a receipt can be changed without another signer coming out.
        if (signer === me) assert.deepEqual({ ...found, signature: '' }, { ...receipt, signature: '' })
      },
    }),
    textTarget({
      name: 'protocol/signed/action',
      seeds: [JSON.stringify(action)],
      refuses: named('ActionError'),
      read(text) {
        const found = taken(signedActionSchema, text)
        if (found === undefined) return
        const { hash, ...fields } = openAction(found, domain)
        assert.equal(hash, actionHash(fields))
        assert.ok(fields.content.length <= 8192)
        if (fields.signer === me) assert.equal(found.content, action.content)
      },
    }),
    textTarget({
      name: 'protocol/signed/signature',
      seeds: [signature],
      refuses: named('SignatureError'),
      read(text) {
        const { signature: __, subject: ___, ...rest } = grant
        const message = { ...rest, subject: `0x${'00'.repeat(32)}` as Hash, byteLimit: 5_000n }
        assert.match(signerOf(domain, 'Grant', message, text), /^0x[0-9a-f]{40}$/)
      },
    }),
    textTarget({
      name: 'protocol/signed/contents',
      seeds: [
        '{"name":"Guido","prev":null}',
        '{"links":["https://a.example/"],"prev":null}',
        `{"add":[{"track":"${subject}"}],"prev":null,"title":"Best of"}`,
        `{"ground":"court-order","prev":null,"statement":"Mine","track":"${subject}"}`,
        `{"atMs":5,"on":true,"target":"${subject}"}`,
        `{"prev":null,"replyTo":"${subject}","text":"Lovely","track":"${subject}"}`,
        `{"prev":null,"sealed":{"box":"AAAA","from":"0x${'05'.repeat(32)}","keys":["${'A'.repeat(64)}"]}}`,
      ],
      refuses: never,
      read(text) {
        for (const { schema } of Object.values(kinds)) taken<unknown>(schema, text)
      },
    }),
  ]
}
