import { hexlify, Wallet } from 'ethers'
import type { Json } from '../canonical/index.ts'
import { type Address, largestNumber, subjectOf, subjectToBytes32 } from '../names/index.ts'
import {
  type Domain,
  digestOf,
  type MessageName,
  type Messages,
  messageTypes,
  signMessage,
} from '../signing/index.ts'

/** A key for vectors and tests only: everybody knows it. */
export const examplePrivateKey = `0x${'c0ffee'.padEnd(64, '0')}`

const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 31_337,
  verifyingContract: '0x5fbdb2315678afecb367f032d93f642f64180aa3',
}
const author: Address = '0x00112233445566778899aabbccddeeff00112233'
const operator: Address = '0xffeeddccbbaa99887766554433221100ffeeddcc'
const subject = subjectToBytes32(subjectOf(author, 42n))
const largestUint64 = 2n ** 64n - 1n

type Named = { [Name in MessageName]: { readonly name: Name; readonly message: Messages[Name] } }[MessageName]

/** Two of each type: one as it comes up, one at the edges of its types. */
const messages: readonly Named[] = [
  {
    name: 'Action',
    message: {
      author,
      nonce: 7n,
      kind: 2,
      subject,
      content: new TextEncoder().encode('{"title":"Übung №1"}'),
      deadline: 1_800_000_000n,
    },
  },
  {
    name: 'Action',
    message: {
      author: '0x0000000000000000000000000000000000000000',
      nonce: 2n ** 256n - 1n,
      kind: 65_535,
      subject: subjectToBytes32(subjectOf(operator, largestNumber)),
      content: new Uint8Array(),
      deadline: 0n,
    },
  },
  {
    name: 'Token',
    message: { account: author, audience: 'https://node.example', expiresAt: 1_800_000_000_000 },
  },
  { name: 'Token', message: { account: operator, audience: '', expiresAt: Number.MAX_SAFE_INTEGER } },
  {
    name: 'NodeToken',
    message: {
      account: operator,
      audience: 'http://127.0.0.1:4620',
      method: 'GET',
      path: '/uploads/1/blocks?after=3&wait=1000',
      expiresAt: 1_800_000_000_000,
    },
  },
  { name: 'NodeToken', message: { account: author, audience: 'ü', method: '', path: '/', expiresAt: 0 } },
  {
    name: 'AppPassword',
    message: {
      account: author,
      audience: 'https://discovery.example',
      device: 'Küche',
      nonce: `0x${'0d'.repeat(32)}`,
      expiresAt: 1_800_000_000_000,
    },
  },
  {
    name: 'AppPassword',
    message: {
      account: operator,
      audience: '',
      device: '',
      nonce: `0x${'ff'.repeat(32)}`,
      expiresAt: Number.MAX_SAFE_INTEGER,
    },
  },
  {
    name: 'Grant',
    message: {
      subject,
      audience: 'https://node.example',
      byteLimit: 1_000_000_000n,
      expiresAt: 1_800_000_000_000,
    },
  },
  {
    name: 'Grant',
    message: {
      subject: subjectToBytes32(subjectOf(author, 0n)),
      audience: '',
      byteLimit: largestUint64,
      expiresAt: 0,
    },
  },
  {
    name: 'Offer',
    message: {
      operator,
      to: author,
      subject,
      source: 'https://node.example/uploads/9f86d081',
      byteLimit: 50_000_000n,
      expiresAt: 1_800_000_000_000,
    },
  },
  {
    name: 'Offer',
    message: { operator: author, to: operator, subject, source: '', byteLimit: largestUint64, expiresAt: 0 },
  },
  {
    name: 'Receipt',
    message: {
      operator,
      subject,
      manifest: `0x${'ab'.repeat(32)}`,
      storageRoot: `0x${'cd'.repeat(32)}`,
      leafCount: 98_304n,
      byteLength: 25_165_824n,
      blockNumber: 123_456n,
      validUntil: 1_900_000_000n,
    },
  },
  {
    name: 'Receipt',
    message: {
      operator: author,
      subject,
      manifest: `0x${'00'.repeat(32)}`,
      storageRoot: `0x${'ff'.repeat(32)}`,
      leafCount: largestUint64,
      byteLength: largestUint64,
      blockNumber: largestUint64,
      validUntil: largestUint64,
    },
  },
  {
    name: 'Proof',
    message: {
      operator,
      asker: author,
      subject,
      manifest: `0x${'0a'.repeat(32)}`,
      nonce: `0x${'0b'.repeat(32)}`,
      answer: `0x${'0c'.repeat(32)}`,
    },
  },
  {
    name: 'PremiumGate',
    message: { subject, gate: '{"kind":"follower"}', atMs: 1_800_000_000_000 },
  },
  {
    name: 'PremiumGate',
    message: { subject: `0x${'ff'.repeat(32)}`, gate: 'null', atMs: Number.MAX_SAFE_INTEGER },
  },
  {
    name: 'Proof',
    message: {
      operator: `0x${'00'.repeat(20)}`,
      asker: `0x${'ff'.repeat(20)}`,
      subject: `0x${'00'.repeat(32)}`,
      manifest: `0x${'ff'.repeat(32)}`,
      nonce: `0x${'00'.repeat(32)}`,
      answer: `0x${'ff'.repeat(32)}`,
    },
  },
]

/** EIP-712: type, message, digest and signature for everything that anybody signs. Large integers are decimal
 * strings, bytes are hex. */
export async function signedMessages(): Promise<Json> {
  const wallet = new Wallet(examplePrivateKey)
  return {
    domain,
    privateKey: examplePrivateKey,
    signer: wallet.address.toLowerCase(),
    messages: await Promise.all(
      messages.map(({ name, message }) => messageVector(wallet, domain, name, message)),
    ),
  }
}

/** One of them: what is signed, for which domain, and by whom. */
export async function messageVector<Name extends MessageName>(
  wallet: Wallet,
  signedFor: Domain,
  name: Name,
  message: Messages[Name],
): Promise<Json> {
  const fields = messageTypes[name].map((field) => `${field.type} ${field.name}`)
  return {
    type: `${name}(${fields.join(',')})`,
    message: Object.fromEntries(Object.entries(message).map(([field, value]) => [field, toJson(value)])),
    digest: digestOf(signedFor, name, message),
    signature: await signMessage(wallet, signedFor, name, message),
  }
}

function toJson(value: string | number | bigint | Uint8Array | readonly (string | number)[]): Json {
  if (typeof value === 'bigint') return String(value)
  return value instanceof Uint8Array ? hexlify(value) : value
}
