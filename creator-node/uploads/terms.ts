import type { Address } from '@hexachord/protocol/names'
import type { UploadTerms } from '@hexachord/protocol/rest'
import type { Identify } from '@hexachord/storage/peers'
import { Router } from 'express'
import type { Budgets, PublisherGate } from '../admission/index.ts'
import { leastSpentBytes, type UploadLimits } from './admit-upload.ts'
import type { UploadStore } from './upload-store.ts'

export type TermsOptions = {
  gate: PublisherGate
  budgets: Pick<Budgets, 'leftToday'>
  uploads: Pick<UploadStore, 'countOpen' | 'countByState'>
  limits: UploadLimits
  /** Room that is left for uploads, in bytes. */
  freeBytes: () => Promise<number>
}

/** What this node takes now, and how busy it is; for clients that choose a node.
 * @param account whose own part is told, too */
export async function uploadTerms(options: TermsOptions, account?: Address): Promise<UploadTerms> {
  const { gate, uploads, limits } = options
  const roomBytes = Math.max(0, await options.freeBytes())
  const today = leftToday(options)
  const open = uploads.countOpen()
  const counts = uploads.countByState()
  const reason =
    roomBytes < leastSpentBytes
      ? 'the disk is full'
      : today.bytes.left < leastSpentBytes
        ? "today's budget for uploads is spent"
        : open >= limits.maximumOpen
          ? 'it works on as many uploads as it can'
          : undefined
  return {
    acceptsUploads: reason === undefined,
    ...(reason === undefined ? {} : { reason }),
    publishers: gate.policy,
    roomBytes,
    ...limits,
    receiving: counts.receiving ?? 0,
    queued: counts.queued ?? 0,
    processing: counts.processing ?? 0,
    today,
    ...(account === undefined
      ? {}
      : {
          you: {
            account,
            mayPublish: gate.mayPublish(account),
            open: uploads.countOpen(account),
            today: leftToday(options, account),
          },
        }),
  }
}

function leftToday({ budgets }: TermsOptions, account?: Address): UploadTerms['today'] {
  return {
    bytes: budgets.leftToday('bytes', account),
    gas: budgets.leftToday('gas', account),
    actions: budgets.leftToday('actions', account),
  }
}

/** `GET /uploads`: the terms; with a token, those for its account. */
export function termsRoutes(options: TermsOptions & { identify: Identify }): Router {
  const router = Router()
  router.get('/uploads', async (request, response) => {
    const account = request.get('authorization') === undefined ? undefined : options.identify(request)
    response
      .set({ 'Cache-Control': 'no-store', Vary: 'Authorization' })
      .json(await uploadTerms(options, account))
  })
  return router
}
