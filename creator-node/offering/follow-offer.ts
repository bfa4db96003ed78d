import { setTimeout as delay } from 'node:timers/promises'
import type { Address } from '@hexachord/protocol/names'
import { signOffer } from '@hexachord/protocol/offers'
import type { Operator } from '@hexachord/protocol/operators'
import type { Receipt } from '@hexachord/protocol/receipts'
import type { Domain, Signer } from '@hexachord/protocol/signing'
import type { Upload, UploadReplica, UploadStore } from '../uploads/index.ts'
import { offeredByteLimit } from './byte-limit.ts'
import { mistakeInReceipt } from './check-receipt.ts'
import { type OfferClient, OfferRefused, OfferUnknown, OperatorUnavailable } from './offer-client.ts'

export type OfferingOptions = {
  uploads: UploadStore
  client: OfferClient
  hotKey: Signer
  domain: Domain
  /** This node's operator, and origin. */
  self: Address
  publicUrl: string
  /** ms since 1970. */
  now: () => number
  /** How long an operator may be away, or make no progress, before the next in rank is asked. @default 45 s */
  patienceMs?: number
  /** How long an operator may say nothing at all before the next in rank is asked beside it. @default 5 s */
  silenceMs?: number
}

export type Outcome = 'held' | 'refused' | 'failed'

/** Answers come at once when an offer ends; in between this is how often progress is seen. */
const pollMs = 3_000
const retryMs = 1_000
/** Not every operator waits with its answer as it is asked to. */
const leastGapMs = 100
const defaultPatienceMs = 45_000
/** Longer than one poll: whoever is there has answered by then. */
const defaultSilenceMs = 5_000

/** Asks one operator to hold the track and follows it to its receipt, or to the reason why there is none. What is
 * learnt stands with the upload at once. Throws only the signal's reason and what is a fault of our own.
 * @param onSilence called when the operator has said nothing for a while, and when it is heard again */
export async function followOffer(
  id: string,
  operator: Operator,
  options: OfferingOptions,
  signal: AbortSignal,
  onSilence: (silent: boolean) => void,
): Promise<Outcome> {
  const note = noteReplica(id, operator, options.uploads)
  const silence = watchSilence(options.silenceMs ?? defaultSilenceMs, onSilence)
  try {
    const receipt = await obtainReceipt(id, operator, options, signal, silence.heard)
    note({ state: 'held', receipt, signedBy: operator.hotKey })
    return 'held'
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof OfferRefused || error instanceof OperatorUnavailable)) throw error
    const state = error instanceof OfferRefused ? 'refused' : 'failed'
    note({ state, reason: error.message })
    return state
  } finally {
    silence.close()
  }
}

async function obtainReceipt(
  id: string,
  operator: Operator,
  options: OfferingOptions,
  signal: AbortSignal,
  heard: () => void,
): Promise<Receipt> {
  const { uploads, client, now } = options
  const note = noteReplica(id, operator, uploads)
  const patience = createPatience(options)
  for (;;) {
    try {
      const offer =
        replicaOf(uploads.get(id), operator)?.offer ?? (await sendOffer(id, operator, options, signal))
      heard()
      note({ offer, endpoint: operator.endpoint, state: 'pulling' })
      const state = await client.state(operator.endpoint, offer, pollMs, signal)
      heard()
      const upload = uploads.get(id)
      if (upload === undefined) throw new OfferRefused('the upload was removed')
      patience.heard(`${state.blocks} ${uploads.blockCount(id)}`)
      note({ blocks: state.blocks })
      if (state.state === 'held' && state.receipt !== undefined) {
        const mistake = mistakeInReceipt(state.receipt, upload, {
          operator,
          domain: options.domain,
          nowMs: now(),
        })
        if (mistake === undefined) return state.receipt
        throw new OfferRefused(`the operator's receipt does not count: ${mistake}`)
      }
      if (state.state === 'failed') throw new OfferRefused(state.reason ?? 'the operator gave it up')
      if (state.state === 'expired') throw new OfferRefused('the offer has expired')
      patience.check('the operator makes no progress')
      await delay(leastGapMs, undefined, { signal })
    } catch (error) {
      if (error instanceof OfferUnknown) note({ offer: undefined })
      else if (!(error instanceof OperatorUnavailable)) throw error
      // Seen while it is tried again: why there is no copy yet.
      note({ reason: error.message })
      patience.check(error.message)
      await delay(retryMs, undefined, { signal })
    }
  }
}

async function sendOffer(id: string, operator: Operator, options: OfferingOptions, signal: AbortSignal) {
  const { uploads, client, hotKey, domain, self, publicUrl } = options
  const upload = uploads.get(id)
  if (upload === undefined) throw new OfferRefused('the upload was removed')
  const offer = await signOffer(hotKey, domain, {
    operator: self,
    to: operator.operator,
    subject: upload.subject,
    source: `${publicUrl}/uploads/${id}/blocks`,
    byteLimit: offeredByteLimit(upload),
    expiresAt: upload.grant.expiresAt,
    grant: upload.grant,
  })
  return client.send(operator.endpoint, offer, signal)
}

/** Tells when nothing at all was heard for a while. An operator that is away need not be waited for, though it may
 * come back. */
function watchSilence(silenceMs: number, onSilence: (silent: boolean) => void) {
  let silent = false
  const tell = (now: boolean) => {
    if (now !== silent) onSilence(now)
    silent = now
  }
  let timer = setTimeout(tell, silenceMs, true)
  return {
    heard() {
      clearTimeout(timer)
      timer = setTimeout(tell, silenceMs, true)
      tell(false)
    },
    close: () => clearTimeout(timer),
  }
}

/** Runs out when nothing new was heard for a while. */
function createPatience({ now, patienceMs = defaultPatienceMs }: OfferingOptions) {
  let heardAtMs = now()
  let last = ''
  return {
    heard(news: string) {
      if (news !== last) heardAtMs = now()
      last = news
    },
    /** @throws OperatorUnavailable */
    check(why: string) {
      if (now() - heardAtMs > patienceMs) throw new OperatorUnavailable(why)
    },
  }
}

function replicaOf(upload: Upload | undefined, { operator }: Operator): UploadReplica | undefined {
  return upload?.replicas.find((replica) => replica.operator === operator)
}

/** Writes what is new about a replica; nothing when nothing is. How many blocks it has is only noted. */
export function noteReplica(
  id: string,
  { operator, endpoint }: Operator,
  uploads: UploadStore,
): (news: Partial<UploadReplica>) => void {
  return (news) => {
    const change = (upload: Upload) => {
      const before = upload.replicas.find((replica) => replica.operator === operator)
      const after: UploadReplica = { operator, endpoint, state: 'offered', blocks: 0, ...before, ...news }
      // A reason belongs to the end that it explains.
      if (news.state !== undefined && news.reason === undefined) delete after.reason
      if (before !== undefined && JSON.stringify(before) === JSON.stringify(after)) return undefined
      const others = upload.replicas.filter((replica) => replica.operator !== operator)
      return { replicas: [...others, after] }
    }
    const isProgress = Object.keys(news).every((name) => name === 'blocks')
    if (isProgress) uploads.note(id, change)
    else uploads.change(id, change)
  }
}
