import { randomBytes } from 'node:crypto'
import { Problem } from '@hexachord/platform/http'
import type { LoadedTrack } from '@hexachord/protocol/manifests'
import { type Address, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import {
  type Opening,
  openingMs,
  paymentSchema,
  type SentVoucher,
  sentOpeningSchema,
  sessionMs,
  unitCount,
} from '@hexachord/protocol/payments'
import { type Domain, digestOf, type Recover, SignatureError, signerOf } from '@hexachord/protocol/signing'
import { type Response, Router } from 'express'
import { type Book, type Session, TooManySessions, VoucherRefused } from '../book/index.ts'
import { type PaidBlocks, shareTooSmall } from '../gate/index.ts'
import type { Journal } from '../journal/index.ts'
import type { PaymentsView } from '../payments-view.ts'
import { notWritable } from '../problems.ts'
import { reportOf, sessionMembers } from '../report.ts'
import { bodyOf, readText, sendReport, unknownSession } from './messages.ts'
import { createOpeningRate } from './opening-rate.ts'

export type PayOptions = {
  readonly book: Book
  readonly journal: Journal
  readonly paidBlocks: PaidBlocks
  readonly view: Pick<PaymentsView, 'termsOf' | 'channel'>
  /** The escrow's. */
  readonly domain: Domain
  readonly node: Address
  readonly leastNodeBps: number
  readonly recover: Recover
  readonly accept: (session: Session, voucher: SentVoucher) => Promise<void>
  readonly loadTrack: (manifest: string, subject: Subject) => Promise<LoadedTrack>
  readonly liveManifestOf: (subject: Subject) => string | undefined
  readonly now: () => number
}

/** 192 bits. */
const tokenBytes = 24

/**
 * `POST /pay/sessions`, `GET /pay/sessions/:session` and `POST /pay/vouchers`: what listeners and tills say to each other,
 * see `till-messages` in `protocol/payments`. What they answer is on the disk.
 */
export function payRoutes(options: PayOptions): Router {
  const { book, journal, view, node, domain, now } = options
  const requireRate = createOpeningRate(now)
  const router = Router()

  async function send(response: Response, status: number, session: Session): Promise<void> {
    await journal.durable()
    sendReport(response, status, reportOf(options, session))
  }

  router.post('/pay/sessions', readText, async (request, response) => {
    requireRate(request.ip)
    const { voucher, ...opening } = bodyOf(request, sentOpeningSchema)
    const { payer, subject, curator, expiresAt } = opening
    requireInTime(opening)
    const track = subjectToBytes32(subject)
    const message = { payer, node: opening.node, track, curator, expiresAt }
    if (opening.node !== node) throw wrongOpening(`it is for ${opening.node}; this node is ${node}`)
    const key = signerOfOpening(() =>
      signerOf(domain, 'Opening', message, opening.signature, options.recover),
    )
    const { manifest, units } = await trackToPay(subject)
    try {
      journal.requireRoom()
      const session = book.open({
        ...{
          token: randomBytes(tokenBytes).toString('base64url'),
          opening: digestOf(domain, 'Opening', message),
        },
        ...{ payer, key, subject, curator, manifest, units, expiresAt: now() + sessionMs },
      })
      if (voucher !== undefined) await takeAlong(session, voucher)
      await send(response, 201, session)
    } catch (error) {
      throw error instanceof TooManySessions ? tooMany(error) : notWritable(error)
    }
  })

  router.get('/pay/sessions/:session', async (request, response) => {
    await send(response, 200, known(request.params.session)).catch((error: unknown) => {
      throw notWritable(error)
    })
  })

  router.post('/pay/vouchers', readText, async (request, response) => {
    const payment = bodyOf(request, paymentSchema)
    const session = known(payment.session)
    try {
      await options.accept(session, payment.voucher)
      await send(response, 200, session)
    } catch (error) {
      throw error instanceof VoucherRefused ? refused(error, session) : notWritable(error)
    }
  })

  /** A refusal is seen from the report, by which the listener finds out what to do first. */
  async function takeAlong(session: Session, voucher: SentVoucher): Promise<void> {
    try {
      await options.accept(session, voucher)
    } catch (error) {
      if (!(error instanceof VoucherRefused)) throw error
    }
  }

  function known(token: string): Session {
    const session = book.session(token)
    if (session === undefined) throw unknownSession()
    return session
  }

  /** @throws Problem 400 */
  function requireInTime({ expiresAt }: Opening): void {
    const time = now()
    if (expiresAt > time && expiresAt <= time + openingMs) return
    throw new Problem({
      status: 400,
      slug: 'opening-out-of-time',
      detail: `an opening expires within ${openingMs} ms from now, and this one at ${expiresAt}; here it is ${time}`,
      members: { now: time },
    })
  }

  /** @throws Problem for a track that is not here, or costs nothing, or gives this node too little */
  async function trackToPay(subject: Subject): Promise<{ manifest: string; units: number }> {
    const manifest = options.liveManifestOf(subject)
    if (manifest === undefined) {
      throw new Problem({ status: 404, slug: 'unknown-track', detail: `there is no track ${subject}` })
    }
    const terms = view.termsOf(subjectToBytes32(subject))
    if (terms === undefined || terms.unitPrice === 0n) {
      const detail = `track ${subject} costs nothing: no session is needed`
      throw new Problem({ status: 409, slug: 'track-is-free', detail })
    }
    if (terms.nodeBps < options.leastNodeBps) throw shareTooSmall(terms.nodeBps, options.leastNodeBps)
    const track = await options.loadTrack(manifest, subject)
    if (!options.paidBlocks.has(subject, manifest)) options.paidBlocks.add(subject, track)
    return { manifest, units: unitCount(track) }
  }

  function refused({ fault, message }: VoucherRefused, session: Session): Problem {
    return new Problem({
      status: 409,
      slug: 'voucher-refused',
      title: 'Voucher refused',
      detail: message,
      members: { fault, ...sessionMembers(options, session) },
    })
  }

  return router
}

function signerOfOpening(find: () => Address): Address {
  try {
    return find()
  } catch (error) {
    if (error instanceof SignatureError) throw wrongOpening(error.message)
    throw error
  }
}

function wrongOpening(detail: string): Problem {
  return new Problem({ status: 400, slug: 'wrong-opening', title: 'Wrong opening', detail })
}

function tooMany({ whose, message }: TooManySessions): Problem {
  return new Problem({
    status: whose === 'channel' ? 429 : 503,
    slug: 'too-many-sessions',
    title: 'Too many sessions',
    detail: message,
    headers: { 'Retry-After': '60' },
  })
}
