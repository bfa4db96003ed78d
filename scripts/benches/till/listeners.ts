import { createHash, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { type Address, type Hash, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { packLines, sessionReportSchema, tillJson } from '@hexachord/protocol/payments'
import { digestOf } from '@hexachord/protocol/signing'
import { computeAddress, hexlify, ZeroAddress } from 'ethers'
import { artist, domain, node, paidNetwork, subject, unitPrice } from './terms.ts'

const secp256k1 = createRequire(import.meta.url)('secp256k1/bindings') as {
  ecdsaSign(digest: Uint8Array, key: Uint8Array): { signature: Uint8Array; recid: number }
}
const nobody = ZeroAddress as Address
/** Tracks that a voucher pays for beside the one that is heard: those that were heard before it. */
export const earlierTracks = 3
/** Sessions that are opened at one time. */
const openings = 32

type Listener = {
  readonly key: Uint8Array
  readonly address: Address
  readonly session: string
  paid: bigint
  unit: number
}

/** Listeners who pay with every request, one after the other, so that each voucher is the newest of its channel. */
export async function signListeners(options: {
  origin: string
  count: number
  units: number
  signal: AbortSignal
}) {
  let listeners: Listener[] = []
  let turn = 0

  /** @returns units and what pays for each of them, in the order in which they have to be sent */
  return async function sign(wanted: number): Promise<{ unit: number; payment: string }[]> {
    const payments: { unit: number; payment: string }[] = []
    for (; payments.length < wanted; turn += 1) {
      options.signal.throwIfAborted()
      // Whoever has heard the track gives way to another listener: a till has no room for a hundred sessions of one.
      if (turn % (options.count * options.units) === 0) {
        listeners = await openSessions(options)
      }
      const listener = listeners[turn % options.count]
      if (listener === undefined) break
      payments.push({ unit: listener.unit, payment: pay(listener) })
    }
    return payments
  }
}

type Opening = { readonly origin: string; readonly count: number; readonly signal: AbortSignal }

async function openSessions({ origin, count, signal }: Opening): Promise<Listener[]> {
  const listeners: Listener[] = []
  while (listeners.length < count) {
    const wanted = Math.min(openings, count - listeners.length)
    listeners.push(...(await Promise.all(Array.from({ length: wanted }, () => open(origin, signal)))))
  }
  return listeners
}

async function open(origin: string, signal: AbortSignal): Promise<Listener> {
  const key = createHash('sha256').update(randomBytes(32)).digest()
  const payer = computeAddress(hexlify(key)).toLowerCase() as Address
  const curator = nobody
  const expiresAt = Date.now() + 30_000
  const message = { payer, node, track: subjectToBytes32(subject), curator, expiresAt }
  const signature = sign(digestOf(domain, 'Opening', message), key)
  const opening = { payer, node, subject, curator, expiresAt, signature }
  const response = await fetch(`${origin}/pay/sessions`, { method: 'POST', body: tillJson(opening), signal })
  if (!response.ok) throw new Error(await response.text())
  const { session } = sessionReportSchema.parse(await response.json())
  return { key, address: payer, paid: 0n, session, unit: 0 }
}

function pay(listener: Listener): string {
  listener.unit += 1
  listener.paid += unitPrice
  const amounts = [...Array.from({ length: earlierTracks }, () => 35n * unitPrice), listener.paid]
  const lines = packLines(
    amounts.map((amount, place) => ({
      track: subjectToBytes32(subjectOf(artist, BigInt(amounts.length - place))),
      curator: nobody,
      amount,
    })),
  )
  const cumulative = amounts.reduce((sum, amount) => sum + amount, 0n)
  const voucher = { payer: listener.address, base: 0n, cumulative }
  const signature = sign(digestOf(domain, 'Voucher', { ...voucher, node, lines }), listener.key)
  const payload = { session: listener.session, voucher: { ...voucher, lines: hexlify(lines), signature } }
  const accepted = { scheme: 'stream-voucher', network: `eip155:${paidNetwork.chainId}` }
  return Buffer.from(tillJson({ x402Version: 2, accepted, payload })).toString('base64')
}

function sign(digest: Hash, key: Uint8Array): string {
  const { signature, recid } = secp256k1.ecdsaSign(Buffer.from(digest.slice(2), 'hex'), key)
  return `${hexlify(signature)}${(27 + recid).toString(16)}`
}
