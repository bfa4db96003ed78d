import assert from 'node:assert/strict'
import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import {
  mostLines,
  openingSchema,
  type Payment,
  packLines,
  paymentSchema,
  tillJson,
} from '@hexachord/protocol/payments'
import { type Domain, digestOf, signerOf, signMessage } from '@hexachord/protocol/signing'
import { examplePrivateKey } from '@hexachord/protocol/vectors'
import { takeSession } from '@hexachord/storage/gateway'
import { createBook, defaultSessionLimits } from '@hexachord/storage/till/book'
import { readPaymentSignature } from '@hexachord/storage/till/gate'
import { frameOf, readFrames } from '@hexachord/storage/till/journal'
import { hexlify, Wallet } from 'ethers'
import { bytesTarget, named, never, problems, type Target, textTarget } from '../target.ts'

const domain: Domain = {
  ...{ name: 'Hexachord', version: '1', chainId: 31_337 },
  verifyingContract: `0x${'e5'.repeat(20)}`,
}
const key = new Wallet(examplePrivateKey)
const me = key.address.toLowerCase() as Address
const node: Address = `0x${'0d'.repeat(20)}`
const nobody: Address = `0x${'00'.repeat(20)}`
const subject = subjectOf(node, 7n)
const token = 'c2Vzc2lvbi1vZi1hLWxpc3RlbmVy'

export async function targets(): Promise<readonly Target[]> {
  const track = subjectToBytes32(subject)
  const lines = packLines([{ track, curator: nobody, amount: 500n }])
  const fields = { payer: me, base: 0n, cumulative: 500n }
  const signature = await signMessage(key, domain, 'Voucher', { ...fields, node, lines })
  const payment: Payment = { session: token, voucher: { ...fields, lines: hexlify(lines), signature } }
  const accepted = { scheme: 'stream-voucher', network: 'eip155:31337' }
  const message = { payer: me, node, track, curator: nobody, expiresAt: 9_000_000 }
  const opening = {
    ...{ payer: me, node, subject, curator: nobody, expiresAt: 9_000_000 },
    signature: await signMessage(key, domain, 'Opening', message),
  }
  const frames = Buffer.concat(['{"do":"charge"}', '{}', 'ö'].map(frameOf))
  return [
    textTarget({
      name: 'storage/till/opening',
      seeds: [JSON.stringify(opening)],
      refuses: named('SyntaxError', 'SignatureError'),
      read(text) {
        const { data } = openingSchema.safeParse(JSON.parse(text))
        if (data === undefined) return
        const { subject: about, signature: by, ...rest } = data
        const signed = { ...rest, track: subjectToBytes32(about) }
        // Nothing of it can be changed without another signer coming out.
        if (signerOf(domain, 'Opening', signed, by) === me) assert.deepEqual(signed, message)
      },
    }),
    textTarget({
      name: 'storage/till/payment-signature',
      seeds: [Buffer.from(tillJson({ x402Version: 2, accepted, payload: payment })).toString('base64')],
      refuses: problems(400),
      read: (header) => requireWhole(readPaymentSignature(header, accepted.network)),
    }),
    textTarget({
      name: 'storage/till/payment-signature-inside',
      seeds: [tillJson({ x402Version: 2, accepted, payload: payment })],
      refuses: problems(400),
      read(json) {
        const header = Buffer.from(json).toString('base64')
        requireWhole(readPaymentSignature(header, accepted.network))
      },
    }),
    textTarget({
      name: 'storage/till/payment',
      seeds: [tillJson(payment)],
      refuses: named('SyntaxError', 'SignatureError', 'VoucherRefused'),
      read(text) {
        const { data } = paymentSchema.safeParse(JSON.parse(text))
        if (data === undefined) return
        const { book, session } = openBook()
        book.accept(session, data.voucher, signerOfVoucher(data.voucher))
        assert.deepEqual({ ...data.voucher, signature: '' }, { ...payment.voucher, signature: '' })
        assert.equal(session.channel.credits.get(track), 500n)
      },
    }),
    textTarget({
      name: 'storage/till/session-parameter',
      seeds: [
        `/ipfs/bafk?s=${token}`,
        `/ipfs/bafk?format=raw&s=${token}&download=true`,
        '/ipfs/bafk?ss=1&s=',
      ],
      refuses: never,
      read(text) {
        const { url, session } = takeSession(text)
        if (session === undefined) assert.equal(url, text)
        else assert.ok(text.includes(`s=${session}`) && url.length < text.length)
      },
    }),
    bytesTarget({
      name: 'storage/till/journal',
      seeds: [frames],
      refuses: never,
      read(bytes) {
        const records: string[] = []
        const whole = readFrames(Buffer.from(bytes), (record) => records.push(record))
        assert.ok(whole <= bytes.length)
        // Records that are UTF-8, as ours are, come out as they went in.
        const again = Buffer.concat(records.map(frameOf))
        if (!records.join('').includes('\uFFFD'))
          assert.deepEqual(again, Buffer.from(bytes.subarray(0, whole)))
      },
    }),
  ]
}

function requireWhole({ session, voucher }: Payment): void {
  assert.ok(session.length <= 100 && voucher.lines.length <= 2 + mostLines * 128)
  assert.ok(voucher.base >= 0n && voucher.cumulative < 2n ** 96n)
}

/** An empty book, and a session in it. */
function openBook() {
  const book = createBook({
    view: {
      termsOf: () => ({ unitPrice: 100n, nodeBps: 1_000, curatorBps: 0, version: 1 }),
      channel: () => ({ reserved: 1_000n, released: 0n, releasing: 0n, settled: 0n }),
    },
    ...{
      leastNodeBps: 0,
      now: () => 0,
      limits: defaultSessionLimits,
      mostChannels: 1,
      write: () => undefined,
    },
  })
  const session = book.open({
    ...{ token, opening: digestOf(domain, 'Session', { payer: me, key: me, cap: 0n, expiry: 0 }) },
    ...{ payer: me, key: me, subject, curator: nobody, manifest: 'bafy', units: 1, expiresAt: 1 },
  })
  return { book, session }
}

function signerOfVoucher({ lines, signature, ...voucher }: Payment['voucher']): Address {
  const packed = Buffer.from(lines.slice(2), 'hex')
  return signerOf(domain, 'Voucher', { ...voucher, node, lines: packed }, signature)
}
