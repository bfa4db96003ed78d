import type { IncomingMessage } from 'node:http'
import { Problem } from '@hexachord/platform/http'
import type { Address, Subject } from '@hexachord/protocol/names'
import type { SentVoucher } from '@hexachord/protocol/payments'
import type { Asking, Gate, PaidRequest } from '../../gateway/index.ts'
import { type Book, NotCovered, type Session, VoucherRefused } from '../book/index.ts'
import type { Journal } from '../journal/index.ts'
import { caip2 } from '../payment-headers.ts'
import type { PaymentsView } from '../payments-view.ts'
import { notWritable } from '../problems.ts'
import { sessionMembers } from '../report.ts'
import type { TillMetrics } from '../till-metrics.ts'
import { createFreeDownloads } from './free-downloads.ts'
import type { PaidBlock, PaidBlocks } from './paid-blocks.ts'
import { createTokenBucket } from './token-bucket.ts'
import { paymentRequired, paymentResponse, readPaymentSignature, type TokenNetwork } from './x402.ts'

export type GateOptions = {
  readonly book: Book
  readonly accept: (session: Session, voucher: SentVoucher) => Promise<void>
  readonly journal: Journal
  readonly paidBlocks: PaidBlocks
  readonly view: Pick<PaymentsView, 'termsOf' | 'channel'>
  readonly network: TokenNetwork
  readonly node: Address
  readonly publicUrl: string
  readonly leastNodeBps: number
  readonly previewUnits: number
  readonly peerOf: (request: IncomingMessage) => Address | undefined
  readonly wholeTrackOf: (subject: Subject) => string | undefined
  readonly isFreeElsewhere: (cid: string, block: PaidBlock) => boolean
  readonly freeBytesPerSecond: number
  /** Resolves after so many ms. */
  readonly sleep: (ms: number) => Promise<unknown>
  readonly metrics: TillMetrics
  readonly now: () => number
}

/** A block, and what it costs as a part of a track. */
type Sold = PaidBlock & { readonly price: bigint; readonly nodeBps: number }

const none: readonly Sold[] = []
/** Sellers of one block that are looked at, beside the one whose session pays. */
const mostSellers = 16
/** Free traffic that may come at once, in seconds of its rate. */
const burstSeconds = 10
/** When a download that was refused may be begun: others end all the time. */
const downloadRetryMs = 10_000

export type TillGate = Gate & {
  /**
   * Sells what is not a block, such as a key: charges a unit of a track to the session of a request, unless the track has
   * no price. When this resolves, that is on the disk. Nodes of the network pay like everybody.
   * @returns headers for the answer
   * @throws as `admit`
   */
  sell(asked: PaidRequest, block: PaidBlock): Promise<Readonly<Record<string, string>>>
}

/** The gate of a till: see payments in `protocol/payments`. */
export function createTillGate(options: GateOptions): TillGate {
  const { book, journal, paidBlocks, view, leastNodeBps, previewUnits, metrics, now } = options
  const network = caip2(options.network.chainId)
  const { freeBytesPerSecond } = options
  const freeBytes =
    freeBytesPerSecond > 0
      ? createTokenBucket({ perSecond: freeBytesPerSecond, burst: freeBytesPerSecond * burstSeconds, now })
      : undefined
  const freeDownloads =
    freeBytes &&
    createFreeDownloads({
      ...{ bytesPerSecond: freeBytesPerSecond, now, sleep: options.sleep },
      spend: freeBytes.spend,
    })

  /** The first of those that sell a block; none if nobody does, or whoever does lets it be heard before. */
  function soldAs(cid: string): readonly Sold[] {
    const blocks = paidBlocks.of(cid)
    if (blocks.length === 0) return none
    const all: Sold[] = []
    for (const block of blocks) {
      // Who sold it once, and gives it away now, makes it free for nobody but themselves: else to sell the music of
      // others for a while would do that. The same goes for previews.
      const isPreview = block.unit !== undefined && block.unit < previewUnits
      const sold = isPreview ? undefined : priced(block)
      // Also where another sells it: whoever gives away the music of an older track, and then sells it, would free it.
      if (sold === undefined || options.isFreeElsewhere(cid, block)) continue
      all.push(sold)
      if (all.length === mostSellers) break
    }
    return all
  }

  function priced(block: PaidBlock): Sold | undefined {
    const terms = view.termsOf(block.track)
    if (terms === undefined || terms.unitPrice === 0n) return undefined
    return { ...block, price: terms.unitPrice, nodeBps: terms.nodeBps }
  }

  function required(asked: PaidRequest, sold: Sold, error: string, session?: Session, more: object = {}) {
    const { subject, unit, price } = sold
    const path = new URL(asked.request.url ?? '/', options.publicUrl).pathname
    const extra = { name: 'Hexachord', version: '1', subject, unit: unit ?? null, sessions: '/pay/sessions' }
    const wholeTrack = options.wholeTrackOf(subject)
    const requirements = { error, url: options.publicUrl + path, amount: price, extra, wholeTrack }
    metrics.refused('payment-required')
    return new Problem({
      status: 402,
      slug: 'payment-required',
      title: 'Payment required',
      detail: error,
      members: {
        ...{ subject, unit: unit ?? null, unitPrice: String(price), ...more },
        ...(session === undefined ? {} : sessionMembers(options, session)),
      },
      headers: {
        'PAYMENT-REQUIRED': paymentRequired(options.network, options.node, requirements),
        // Of the registered relations, RFC 8288: a resource where payment is accepted.
        ...(wholeTrack === undefined ? {} : { Link: `<${wholeTrack}>; rel="payment"; type="audio/mp4"` }),
      },
    })
  }

  function peerOf(request: IncomingMessage): Address | undefined {
    return request.headers.authorization === undefined ? undefined : options.peerOf(request)
  }

  /** What of a block a session's own track sells, however many others have it. */
  function ownBlock(cid: string, all: readonly Sold[], { subject, track }: Session): Sold | undefined {
    const among = all.find((sold) => sold.track === track)
    if (among !== undefined) return among
    const block = paidBlocks.ofTrack(cid, subject)
    return block && priced(block)
  }

  /**
   * The session that pays, and what it pays for.
   * @param ownOf what a session's own track sells of what is asked for
   * @throws Problem
   */
  function matched(
    asked: PaidRequest,
    token: string | undefined,
    all: readonly Sold[],
    ownOf: (session: Session) => Sold | undefined,
  ) {
    const [first] = all
    if (first === undefined) throw new TypeError('a block that is free was to be paid')
    const session = token === undefined ? undefined : book.session(token)
    const sold = session && ownOf(session)
    if (sold === undefined && all.every(({ nodeBps }) => nodeBps < leastNodeBps)) {
      throw tooSmall(first)
    }
    if (token === undefined) {
      const path = `POST ${options.publicUrl}/pay/sessions`
      throw required(asked, first, `this block costs something: open a session by ${path}`)
    }
    if (session === undefined) throw required(asked, first, 'the session is unknown here, or has ended')
    if (sold === undefined) throw required(asked, first, `the session is for ${session.subject}`, session)
    if (sold.nodeBps < leastNodeBps) throw tooSmall(sold)
    if (sold.unit === undefined)
      throw required(asked, sold, 'the original file is not sold by units', session)
    return { session, sold, unit: sold.unit }
  }

  function tooSmall({ nodeBps }: Sold): Problem {
    metrics.refused('share-too-small')
    return shareTooSmall(nodeBps, leastNodeBps)
  }

  async function pay(
    asked: PaidRequest,
    all: readonly Sold[],
    ownOf: (session: Session) => Sold | undefined,
  ): Promise<Record<string, string>> {
    const header = asked.request.headers['payment-signature']
    const payment = typeof header === 'string' ? readPaymentSignature(header, network) : undefined
    const { session, sold, unit } = matched(asked, payment?.session ?? asked.session, all, ownOf)
    if (asked.isHead) {
      if (!book.isCovered(session, unit, sold.price, sold.part)) {
        throw required(asked, sold, 'what was paid does not cover it', session)
      }
      return {}
    }
    try {
      journal.requireRoom()
      if (payment !== undefined) await options.accept(session, payment.voucher)
      const cost = book.charge(session, unit, sold.price, sold.part)
      metrics.served(cost === 0n ? 'repeated' : 'paid')
      await journal.durable()
      return payment === undefined ? {} : { 'PAYMENT-RESPONSE': responseTo(session, cost) }
    } catch (error) {
      if (error instanceof NotCovered) {
        throw required(asked, sold, error.message, session, { missing: String(error.missing) })
      }
      if (error instanceof VoucherRefused) {
        throw required(asked, sold, `the voucher is refused: ${error.message}`, session, {
          fault: error.fault,
        })
      }
      throw notWritable(error)
    }
  }

  function responseTo({ payer, channel, track }: Session, amount: bigint): string {
    const credit = String(channel.credits.get(track) ?? 0n)
    const cumulative = String(channel.last?.cumulative ?? channel.base)
    const extra = { credit, base: String(channel.base), cumulative }
    return paymentResponse({ network, payer, amount, extra })
  }

  /** Who is never limited: nodes of the network, which are counted, and who pays, who is not. */
  function unlimited({ request, session }: Asking, isPaid: boolean): ((bytes: number) => void) | undefined {
    const peer = peerOf(request)
    if (peer !== undefined) return (bytes) => metrics.servedPeer(peer, bytes, isPaid)
    const isListener = session !== undefined && book.session(session) !== undefined
    return isListener || freeBytes === undefined ? () => undefined : undefined
  }

  function refuseFree(waitMs: number): Problem {
    metrics.refused('too-much-for-free')
    return tooMuchForFree(waitMs)
  }

  return {
    isInUse: () => !paidBlocks.isEmpty(),
    isPaid: (cid) => soldAs(cid).length > 0,
    requireMeans(asked) {
      const { headers } = asked.request
      const hasMeans = headers['payment-signature'] !== undefined || headers.authorization !== undefined
      if (hasMeans) return
      const sold = soldAs(asked.cid)
      matched(asked, asked.session, sold, (session) => ownBlock(asked.cid, sold, session))
    },
    async admit(asked, bytes) {
      const sold = soldAs(asked.cid)
      // It became free in the meantime.
      if (sold.length === 0) return {}
      const peer = peerOf(asked.request)
      if (peer !== undefined) {
        metrics.servedPeer(peer, bytes, true)
        return {}
      }
      return pay(asked, sold, (session) => ownBlock(asked.cid, sold, session))
    },
    async sell(asked, block) {
      const sold = priced(block)
      if (sold === undefined) return {}
      // Of a key the track that is asked for alone: another may have the same encrypted block.
      return pay(asked, [sold], ({ track }) => (track === sold.track ? sold : undefined))
    },
    isPeer: (request) => peerOf(request) !== undefined,
    requireFree(request, cids) {
      for (const cid of cids) {
        const [sold] = soldAs(cid)
        if (sold === undefined) continue
        const asked = { request, cid, session: undefined, isHead: false }
        throw required(asked, sold, 'there are blocks in it that cost something: pay for each by itself')
      }
    },
    // Who may be a node is looked at by those below.
    takeFree: ({ headers }, bytes) =>
      headers.authorization === undefined && (freeBytes === undefined || freeBytes.take(bytes) === 0),
    requireFreeRate(asked, bytes) {
      const count = unlimited(asked, false)
      if (count !== undefined) return count(bytes)
      const waitMs = freeBytes?.take(bytes) ?? 0
      if (waitMs > 0) throw refuseFree(waitMs)
    },
    meter(asked, isPaid) {
      const count = unlimited(asked, isPaid)
      if (count !== undefined) return { next: async (bytes) => count(bytes), end: () => undefined }
      const download = freeDownloads?.begin(asked.request)
      if (download === undefined) throw refuseFree(downloadRetryMs)
      return download
    },
  }
}

function tooMuchForFree(waitMs: number): Problem {
  return new Problem({
    status: 429,
    slug: 'too-much-for-free',
    title: 'Too much for free',
    detail: 'this node has given away what it gives away for now; ask again later, or another holder',
    headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
  })
}

export function shareTooSmall(nodeBps: number, leastNodeBps: number): Problem {
  return new Problem({
    status: 403,
    slug: 'share-too-small',
    title: 'Share too small',
    detail: `the track gives its node ${nodeBps} basis points, and this one serves from ${leastNodeBps} on; ask another holder`,
    members: { nodeBps, leastNodeBps },
  })
}
