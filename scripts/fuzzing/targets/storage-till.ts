import assert from 'node:assert/strict'
import { streamEscrowAbi } from '@hexachord/contracts/generated'
import { parse } from '@hexachord/platform/http'
import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import {
  mostLines,
  openingSchema,
  type Payment,
  packLines,
  paymentSchema,
  sentReserveSchema,
  tillJson,
} from '@hexachord/protocol/payments'
import {
  gateSigner,
  keptSecretSchema,
  openSecret,
  sealSecret,
  secretBytes,
  signGate,
} from '@hexachord/protocol/premium'
import { type Domain, digestOf, signerOf, signMessage } from '@hexachord/protocol/signing'
import { examplePrivateKey } from '@hexachord/protocol/vectors'
import { takeSession } from '@hexachord/storage/gateway'
import { createBook, defaultSessionLimits } from '@hexachord/storage/till/book'
import { readPaymentSignature } from '@hexachord/storage/till/gate'
import { frameOf, readFrames } from '@hexachord/storage/till/journal'
import { hexlify, Interface, type InterfaceAbi, Wallet } from 'ethers'
import { bodyOf } from '../../../storage/till/http/messages.ts'
import {
  checkAuthorization,
  type ExactRequirements,
  readExactPayment,
} from '../../../storage/till/purchases/exact-payment.ts'
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
const escrow = new Interface(streamEscrowAbi as InterfaceAbi)
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
  const reserved = { payer: me, node, total: 5_000n, deadline: 9_000_000n }
  const { node: _, deadline, ...sent } = reserved
  const reserve = {
    ...{ session: token, ...sent, deadline: Number(deadline) },
    signature: await signMessage(key, domain, 'Reserve', reserved),
  }
  const secret = new Uint8Array(secretBytes).fill(7)
  const publicKey = key.signingKey.compressedPublicKey
  const random = (bytes: Uint8Array<ArrayBuffer>) => bytes.fill(9)
  const gate = { kind: 'holder', standard: 'erc1155', contract: node, id: '4', least: '1' } as const
  const proof = await signGate(key, domain, { subject, gate, atMs: 9_000_000 })
  const kept = { sealed: sealSecret(secret, { subject, publicKey }, random), gate, proof }
  const purchase = JSON.stringify(await signedPurchase())
  const frames = Buffer.concat(['{"do":"charge"}', '{}', 'ö'].map(frameOf))
  return [
    textTarget({
      name: 'storage/till/opening',
      seeds: [JSON.stringify(opening)],
      refuses: either(problems(400), named('SignatureError')),
      read(text) {
        const { subject: about, signature: by, ...rest } = bodyOf({ body: text }, openingSchema)
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
      refuses: either(problems(400), named('SignatureError', 'VoucherRefused')),
      read(text) {
        const { voucher } = bodyOf({ body: text }, paymentSchema)
        const { book, session } = openBook()
        book.accept(session, voucher, signerOfVoucher(voucher))
        assert.deepEqual({ ...voucher, signature: '' }, { ...payment.voucher, signature: '' })
        assert.equal(session.channel.credits.get(track), 500n)
      },
    }),
    textTarget({
      name: 'storage/till/body',
      // JSON by its name has been read before: then it is any value.
      seeds: [tillJson(payment), tillJson(reserve), JSON.stringify(opening)],
      refuses: either(problems(400), named('SyntaxError')),
      read(text) {
        const body: unknown = JSON.parse(text)
        if (typeof body === 'string') return
        const read = [paymentSchema, sentReserveSchema, openingSchema].map((schema) => {
          try {
            return bodyOf({ body }, schema)
          } catch (error) {
            if (problems(400)(error)) return undefined
            throw error
          }
        })
        // No message is taken for another.
        assert.ok(read.filter((message) => message !== undefined).length <= 1)
      },
    }),
    textTarget({
      name: 'storage/till/reserve',
      seeds: [tillJson(reserve)],
      refuses: either(problems(400), named('SignatureError')),
      read(text) {
        const { session, signature: by, ...read } = bodyOf({ body: text }, sentReserveSchema)
        assert.match(session, /^[\w-]{1,100}$/)
        const words = [read.payer, node, read.total, read.deadline, by]
        assert.ok(escrow.encodeFunctionData('reserveBySig', words).length > 10)
        const signed = { ...read, node, deadline: BigInt(read.deadline) }
        // Nothing of it can be changed without another signer coming out.
        if (signerOf(domain, 'Reserve', signed, by) === me) assert.deepEqual(signed, reserved)
      },
    }),
    textTarget({
      name: 'storage/till/purchase',
      seeds: [purchase],
      refuses: either(problems(400), named('PurchaseRefused')),
      read: (json) => readPurchase(Buffer.from(json).toString('base64')),
    }),
    textTarget({
      name: 'storage/till/purchase-header',
      seeds: [Buffer.from(purchase).toString('base64')],
      refuses: either(problems(400), named('PurchaseRefused')),
      read: readPurchase,
    }),
    textTarget({
      name: 'storage/till/premium-secret',
      seeds: [JSON.stringify(kept)],
      refuses: either(problems(400), named('SyntaxError', 'SealedSecretError', 'SignatureError')),
      read(text) {
        const { sealed, ...told } = parse(keptSecretSchema, JSON.parse(text))
        assert.deepEqual(openSecret(sealed, { subject, privateKey: examplePrivateKey }), secret)
        if (told.proof === undefined) return
        const isSigned = gateSigner(domain, { subject, gate: told.gate, proof: told.proof }) === me
        if (isSigned) assert.deepEqual([told.gate, told.proof.atMs], [gate, proof.atMs])
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

const either =
  (...refusals: readonly Target['refuses'][]): Target['refuses'] =>
  (error) =>
    refusals.some((refuses) => refuses(error))

const wanted: ExactRequirements = {
  ...{ scheme: 'exact', network: 'eip155:31337', amount: '402', asset: `0x${'d0'.repeat(20)}` },
  ...{ payTo: node, maxTimeoutSeconds: 600, extra: { name: 'Local Dollar', version: '1' } },
}
const authorized = {
  ...{ from: me, to: node, value: '402', validAfter: '0', validBefore: '600' },
  nonce: `0x${'4e'.repeat(32)}`,
}
const authorizedTypes = {
  TransferWithAuthorization: Object.entries({
    ...{ from: 'address', to: 'address', value: 'uint256', validAfter: 'uint256' },
    ...{ validBefore: 'uint256', nonce: 'bytes32' },
  }).map(([name, type]) => ({ name, type })),
}

async function signedPurchase() {
  const at = { ...wanted.extra, chainId: 31_337, verifyingContract: wanted.asset }
  const signature = await key.signTypedData(at, authorizedTypes, authorized)
  return { x402Version: 2, accepted: wanted, payload: { signature, authorization: authorized } }
}

function readPurchase(header: string): void {
  const authorization = readExactPayment(header, wanted.network)
  checkAuthorization(authorization, wanted, 31_337, 1)
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  // What passes is what was signed, and nothing else.
  assert.deepEqual(
    { from, to, nonce, value: `${value}`, validAfter: `${validAfter}`, validBefore: `${validBefore}` },
    authorized,
  )
}

function requireWhole({ session, voucher }: Payment): void {
  assert.ok(session.length <= 100 && voucher.lines.length <= 2 + mostLines * 128)
  assert.ok(voucher.base >= 0n && voucher.cumulative < 2n ** 96n)
}

/** An empty book, and a session in it. */
function openBook() {
  const reserve = { reserved: 1_000n, released: 0n, releasing: 0n, settled: 0n }
  const book = createBook({
    view: {
      termsOf: () => ({ unitPrice: 100n, nodeBps: 1_000, curatorBps: 0, version: 1 }),
      channel: () => reserve,
      finalChannel: () => reserve,
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
