import type { Address } from '@hexachord/protocol/names'
import {
  type ChannelReport,
  type Line,
  LinesError,
  type SentVoucher,
  unpackLines,
} from '@hexachord/protocol/payments'
import { type Domain, SignatureError, signerOf } from '@hexachord/protocol/signing'
import { getBytes } from 'ethers'
import { type Channel, sumOf } from './purse-state.ts'
import type { Spender } from './spending-key.ts'

/** A node that this purse does not pay: it claims what nobody signed, asks for more than the artist, or is not what it
 * says. The message says which. */
export class NodeRefused extends Error {
  override readonly name = 'NodeRefused'
}

type Party = { readonly domain: Domain; readonly spender: Spender; readonly node: Address }

/**
 * The channel as it is after what a till reports of it. Nothing is believed but what carries our own signature, or what
 * was settled on the chain: a till that invents a base would have us sign what cannot be redeemed, and one that sends an
 * old voucher back as its last would have us sign a smaller one. Where we know less than our own signature says, such as
 * after a lost memory, we go on from that signature.
 * @param settled on the chain, where the chain was asked
 * @returns the same object when nothing has changed
 * @throws NodeRefused
 */
export function adoptReport(
  channel: Channel,
  report: ChannelReport,
  party: Party,
  settled?: bigint | undefined,
): Channel {
  const { payer, key } = party.spender
  if (report.payer !== payer || report.key !== key.address || report.node !== party.node) {
    throw new NodeRefused('the node reports the channel of somebody else')
  }
  const based = rebase(channel, report, party, settled)
  const { last } = report
  if (last === null || last.base !== based.base || last.signature === based.signature) return based
  const lines = mostOf(based.lines, linesWeSigned(last, party))
  const cumulative = based.base + sumOf(lines)
  return cumulative === based.cumulative ? based : { ...based, lines, cumulative, signature: null }
}

/** From where the next voucher goes on: what was signed and is not in the frozen voucher is carried over, so that what
 * was signed in all never falls. */
function rebase(channel: Channel, report: ChannelReport, party: Party, settled: bigint | undefined): Channel {
  const { base, frozen, last } = report
  if (base === channel.base) return channel
  if (base > channel.base) {
    const isUnknown = channel.cumulative === 0n
    if (frozen?.cumulative === base && (isUnknown || frozen.base === channel.base)) {
      const lines = lessOf(channel.lines, linesWeSigned(frozen, party))
      return { ...channel, base, lines, cumulative: base + sumOf(lines), signature: null }
    }
    const fresh = { ...channel, base, lines: [], cumulative: base, signature: null }
    if (base === channel.cumulative || base === settled) return fresh
    // A voucher of ours that begins there says that we knew it.
    if (base > channel.cumulative && last?.base === base && linesWeSigned(last, party)) return fresh
  }
  throw new NodeRefused(`the node goes on from ${base}, which this purse never signed`)
}

/** @throws NodeRefused */
function linesWeSigned({ signature, lines, ...sent }: SentVoucher, party: Party): Line[] {
  const packed = getBytes(lines)
  try {
    const voucher = { ...sent, node: party.node, lines: packed }
    const signer = signerOf(party.domain, 'Voucher', voucher, signature)
    if (signer === party.spender.key.address && sent.payer === party.spender.payer) return unpackLines(packed)
  } catch (error) {
    if (!(error instanceof SignatureError || error instanceof LinesError)) throw error
  }
  throw new NodeRefused('the node shows a voucher that this purse never signed')
}

const isSame = (one: Line, other: Line) => one.track === other.track && one.curator === other.curator
const amountIn = (lines: readonly Line[], line: Line) => lines.find((one) => isSame(one, line))?.amount ?? 0n

function mostOf(ours: readonly Line[], theirs: readonly Line[]): Line[] {
  const grown = ours.map((line) => {
    const amount = amountIn(theirs, line)
    return amount > line.amount ? { ...line, amount } : line
  })
  return [...grown, ...theirs.filter((line) => !ours.some((one) => isSame(one, line)))]
}

function lessOf(ours: readonly Line[], settled: readonly Line[]): Line[] {
  return ours
    .map((line) => ({ ...line, amount: line.amount - amountIn(settled, line) }))
    .filter(({ amount }) => amount > 0n)
}
