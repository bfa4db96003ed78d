import { hexlify, Wallet, ZeroAddress } from 'ethers'
import type { Json } from '../canonical/index.ts'
import { type Address, type Hash, largestNumber, subjectOf, subjectToBytes32 } from '../names/index.ts'
import {
  type Line,
  largestAmount,
  packLines,
  paymentDomains,
  shareOut,
  splitLine,
  type Terms,
} from '../payments/index.ts'
import { signMessage } from '../signing/index.ts'
import { examplePrivateKey, messageVector } from './signed-messages.ts'

const payer = new Wallet(examplePrivateKey)
const sessionKey = new Wallet(`0x${'5e551017'.padEnd(64, '0')}`)
const node: Address = '0xffeeddccbbaa99887766554433221100ffeeddcc'
const curator: Address = '0x00000000000000000000000000000000000c0de5'
const nobody = ZeroAddress as Address

const domains = paymentDomains({
  chainId: 31_337,
  payments: {
    streamEscrow: '0x00000000000000000000000000000000e5c20111',
    trackRegistry: '0x0000000000000000000000000000000073ac5222',
  },
})

const tracks: readonly Hash[] = [1n, largestNumber].map((number) =>
  subjectToBytes32(subjectOf(addressOf(payer), number)),
)
const [track = '0x', otherTrack = '0x'] = tracks
const terms: Terms = {
  unitPrice: 134n,
  nodeBps: 1_500,
  curatorBps: 300,
  payees: [addressOf(payer), '0x1111111111111111111111111111111111111111'],
  payeeBps: [6_667, 3_333],
}
const lines: readonly Line[] = [
  { track, curator, amount: 4_020n },
  { track: otherTrack, curator: nobody, amount: 7n },
]
const edgeLines: readonly Line[] = [
  { track: `0x${'ff'.repeat(32)}`, curator: `0x${'ff'.repeat(20)}`, amount: largestAmount },
]

/** What payments sign, pack and split: a listener with a session key, in the order in which a chain accepts it. */
export async function payments(): Promise<Json> {
  const account = addressOf(payer)
  const { escrow } = domains
  const voucher = { payer: account, node, base: 0n, cumulative: 4_027n, lines: packLines(lines) }
  const opening = { payer: account, node, track, curator, expiresAt: 1_800_000_000_000 }
  const bySession = { ...voucher, cumulative: 4_020n, lines: packLines(lines.slice(0, 1)) }
  return {
    privateKey: payer.privateKey,
    payer: account,
    sessionPrivateKey: sessionKey.privateKey,
    sessionKey: addressOf(sessionKey),
    node,
    domains,
    terms: await messageVector(payer, domains.tracks, 'Terms', {
      ...{ track, version: 1, ...terms, deadline: 1_900_000_000n },
    }),
    otherTerms: await messageVector(payer, domains.tracks, 'Terms', {
      ...{ track: otherTrack, version: 1, ...terms, curatorBps: 0, deadline: 2n ** 256n - 1n },
    }),
    session: await messageVector(payer, escrow, 'Session', {
      ...{ payer: account, key: addressOf(sessionKey), cap: largestAmount, expiry: 1_900_000_000 },
    }),
    reserve: await messageVector(payer, escrow, 'Reserve', {
      ...{ payer: account, node, total: 100_000n, deadline: 1_900_000_000n },
    }),
    sessionReserve: await messageVector(sessionKey, escrow, 'Reserve', {
      ...{ payer: account, node, total: 50_000n, deadline: 2n ** 256n - 1n },
    }),
    voucher: await messageVector(payer, escrow, 'Voucher', voucher),
    sessionVoucher: await messageVector(sessionKey, escrow, 'Voucher', bySession),
    edgeVoucher: await messageVector(payer, escrow, 'Voucher', {
      ...{ payer: account, node, base: 0n, cumulative: largestAmount, lines: packLines(edgeLines) },
    }),
    opening: await messageVector(payer, escrow, 'Opening', opening),
    sessionOpening: await messageVector(sessionKey, escrow, 'Opening', {
      ...opening,
      ...{ track: otherTrack, curator: nobody, expiresAt: Number.MAX_SAFE_INTEGER },
    }),
    offer: await messageVector(payer, escrow, 'TillOffer', {
      ...{ operator: node, endpoint: 'https://node.example', leastNodeBps: 1_000, previewUnits: 2 },
      expiresAt: 1_800_000_000_000,
    }),
    edgeOffer: await messageVector(payer, escrow, 'TillOffer', {
      ...{ operator: nobody, endpoint: '', leastNodeBps: 65_535, previewUnits: 65_535 },
      expiresAt: Number.MAX_SAFE_INTEGER,
    }),
    refusedSignatures: refusedForms(await signMessage(payer, escrow, 'Voucher', voucher)),
    lines: [lines, edgeLines].map(packed),
    splits: [1n, 7n, 67n, 9_999n, 4_020n, largestAmount].flatMap((amount) =>
      [curator, nobody].map((named) => split(amount, named)),
    ),
    distributions: [
      distribution([10_000], [1n, 5n]),
      distribution([6_667, 3_333], [1n, 2n, 3n, 1_000n]),
      distribution([1, 9_999], [largestAmount]),
      distribution(Array(16).fill(625), [1n, 15n, 16n, 31n, 1_000_003n]),
    ],
  }
}

/** The same signature in the forms that contracts refuse, and many libraries accept. */
function refusedForms(signature: string): Json {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const [r, s, v] = [signature.slice(0, 66), BigInt(`0x${signature.slice(66, 130)}`), signature.slice(130)]
  const otherV = v === '1b' ? '1c' : '1b'
  const word = (value: bigint) => value.toString(16).padStart(64, '0')
  return {
    highS: `${r}${word(order - s)}${otherV}`,
    zeroOrOne: `${r}${word(s)}${v === '1b' ? '00' : '01'}`,
    compact: `${r}${word(s | (v === '1c' ? 1n << 255n : 0n))}`,
    tooLong: `${signature}00`,
    zero: `0x${'00'.repeat(64)}1b`,
  }
}

function packed(some: readonly Line[]): Json {
  return {
    lines: some.map((line) => ({ ...line, amount: String(line.amount) })),
    packed: hexlify(packLines(some)),
  }
}

function split(amount: bigint, named: Address): Json {
  const parts = splitLine({ amount, curator: named }, terms)
  return {
    amount: String(amount),
    curator: named,
    nodeBps: terms.nodeBps,
    curatorBps: terms.curatorBps,
    parts: { node: String(parts.node), curator: String(parts.curator), track: String(parts.track) },
  }
}

/** Earnings that grow from nothing to each of the totals, split each time. */
function distribution(payeeBps: number[], totals: readonly bigint[]): Json {
  const steps = totals.map((total, index) => shareOut(total, totals[index - 1] ?? 0n, payeeBps))
  return { payeeBps, totals: totals.map(String), amounts: steps.map((step) => step.map(String)) }
}

function addressOf(wallet: Wallet): Address {
  return wallet.address.toLowerCase() as Address
}
