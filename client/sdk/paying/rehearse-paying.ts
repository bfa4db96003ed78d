import { parsed } from '@hexachord/protocol/checked'
import { cidOf } from '@hexachord/protocol/cids'
import { type Address, type Subject, subjectOf } from '@hexachord/protocol/names'
import {
  paymentDomains,
  paymentSchema,
  type SentOpening,
  type SentVoucher,
  type SessionReport,
  sentOpeningSchema,
  tillJson,
} from '@hexachord/protocol/payments'
import { signMessage } from '@hexachord/protocol/signing'
import { hexlify } from 'ethers'
import type { Http } from '../connect/index.ts'
import { keyFromPrivateKey } from '../keys/index.ts'
import { playPaid } from './paid-play.ts'
import { openPurse, type Purse } from './purse.ts'
import type { PurseMemory, Receipt } from './purse-memory.ts'
import { channelWith, emptyState, withChannel } from './purse-state.ts'
import { ownSpender } from './spending-key.ts'

const node = `0x${'00'.repeat(19)}01` as Address
const origin = 'https://node.hexachord.invalid'
const [chainId, contract] = [1, `0x${'00'.repeat(20)}` as Address]
const network = { chainId, payments: { streamEscrow: contract, trackRegistry: contract } }
const unitPrice = 1n
const units = 20
const reserved = 1_000_000n
/** Engines compile what they have run a few times. */
const tracksPaid = 3

/**
 * What a page does for a listener who pays when it has nothing else to do, as `rehearse` is for all: asks the purse's
 * home nodes for their offers, which opens connections to them, and pays a made-up node for made-up tracks with a key of
 * its own, so that signatures and schemas are compiled when somebody clicks. Nothing of the purse is spent.
 * @throws ApiError when nobody says which operators there are
 */
export async function rehearsePaying(purse: Purse): Promise<void> {
  const { homes } = await purse.state()
  await purse.homes.find(homes, purse.homeCount)
  await purse.warmUp()
  const bytes = new Uint8Array()
  const cid = await cidOf(bytes, 'raw')
  const rehearsed = await madeUpPurse(bytes)
  for (let number = 1n; number <= tracksPaid; number += 1n) {
    const play = await playPaid(rehearsed, { track: subjectOf(node, number) })
    await play?.prepare(0, units - 1)
    await play?.block(cid, 0)
  }
}

async function madeUpPurse(block: Uint8Array): Promise<Purse> {
  const key = keyFromPrivateKey(hexlify(crypto.getRandomValues(new Uint8Array(32))))
  const { escrow: domain } = paymentDomains(network)
  const now = () => Date.now()
  const message = {
    ...{ operator: node, endpoint: origin, leastNodeBps: 0, previewUnits: 0 },
    expiresAt: now() + 60_000,
  }
  const signature = await signMessage(key.signer, domain, 'TillOffer', message)
  const offer = { ...message, chainId, escrow: contract, signature }
  const answers = madeUpTill(key.address)

  const http: Http = async (url, init) => {
    const { pathname } = new URL(String(url))
    if (pathname.startsWith('/ipfs/')) return new Response(block as BodyInit)
    const answer = pathname === '/pay/offer' ? offer : answers(pathname, String(init?.body ?? ''))
    return new Response(tillJson(answer))
  }
  const operator = { operator: node, controller: node, endpoint: origin, hotKey: key.address }
  const listed = { ...operator, capacityBytes: '0', stakeWei: '0', active: true }
  return openPurse({
    ...{ network, spender: ownSpender(key), memory: memoryOfNow(), homes: 1 },
    termsOf: async () => ({ unitPrice, nodeBps: 0, curatorBps: 0 }),
    connection: {
      http,
      now,
      discover: async (_path, schema) => parsed(schema, { items: [listed], next: null }),
    },
  })
}

/** A till that is paid for each track by one voucher. */
function madeUpTill(key: Address): (path: string, body: string) => SessionReport {
  let opened: SentOpening | undefined
  let last: SentVoucher | null = null
  return (path, body) => {
    const message: unknown = JSON.parse(body)
    if (path === '/pay/sessions') opened = parsed(sentOpeningSchema, message)
    const voucher = path === '/pay/sessions' ? opened?.voucher : parsed(paymentSchema, message).voucher
    if (voucher !== undefined) last = voucher
    const subject: Subject = opened?.subject ?? subjectOf(node, 0n)
    const credit = voucher === undefined ? 0n : 2n * unitPrice
    return {
      ...{ session: 'rehearsal', expiresAt: Date.now() + 60_000, subject, manifest: '' },
      ...{ curator: contract, unitPrice, units, paidUnits: [], credit },
      channel: {
        ...{ payer: key, key, node, reserved, released: 0n, awaited: 0n, base: 0n },
        ...{ last, frozen: null },
      },
    }
  }
}

function memoryOfNow(): PurseMemory {
  const before = emptyState()
  const channel = { ...channelWith(before, node), reserved }
  let state = withChannel(before, node, channel)
  const kept: Receipt[] = []
  return {
    load: async () => state,
    async update(change, receipts = []) {
      state = await change(state)
      kept.push(...receipts)
      return state
    },
    receipts: async () => kept,
  }
}
