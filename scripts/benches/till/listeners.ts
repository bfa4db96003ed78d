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
/** An hour of one listener at a node, until that freezes. */
const openings = 32

type Listener = { key: Uint8Array; address: Address; paid: bigint; session: string; unit: number }

/** Listeners who pay with every request, one after the other, so that each voucher is the newest of its channel. */
export async function signListeners(options: {
  origin: string
  count: number
  units: number
  signal: AbortSignal
}) {
  const listeners = Array.from({ length: options.count }, (): Listener => {
    const key = createHash('sha256').update(randomBytes(32)).digest()
    const address = computeAddress(hexlify(key)).toLowerCase() as Address
    return { key, address, paid: 0n, session: '', unit: options.units }
  })
  let turn = 0

  /** @returns units and what pays for each of them, in the order in which they have to be sent */
  return async function sign(wanted: number): Promise<{ unit: number; payment: string }[]> {
    const payments: { unit: number; payment: string }[] = []
    for (; payments.length < wanted; turn += 1) {
      options.signal.throwIfAborted()
      if (turn % options.count === 0) await openSessions(options.origin, listeners, options.units)
      const listener = listeners[turn % options.count]
      if (listener === undefined) break
      payments.push({ unit: listener.unit, payment: pay(listener) })
    }
    return payments
  }
}

/** Those who have heard the whole track begin again. */
async function openSessions(origin: string, listeners: readonly Listener[], units: number): Promise<void> {
  const due = listeners.filter(({ unit }) => unit >= units)
  for (let at = 0; at < due.length; at += openings) {
    await Promise.all(due.slice(at, at + openings).map((listener) => open(origin, listener)))
  }
}

async function open(origin: string, listener: Listener): Promise<void> {
  // A listener of its own each time: a channel would else be heard of for longer than any is.
  const expiresAt = Date.now() + 30_000
  const message = {
    payer: listener.address,
    node,
    track: subjectToBytes32(subject),
    curator: nobody,
    expiresAt,
  }
  const signature = sign(digestOf(domain, 'Opening', message), listener.key)
  const opening = { payer: listener.address, node, subject, curator: nobody, expiresAt, signature }
  const response = await fetch(`${origin}/pay/sessions`, { method: 'POST', body: tillJson(opening) })
  if (!response.ok) throw new Error(await response.text())
  Object.assign(listener, { session: sessionReportSchema.parse(await response.json()).session, unit: 0 })
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
