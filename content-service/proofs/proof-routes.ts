import { Problem, parse } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import { proofHash, proofRequestSchema, signProof } from '@hexachord/protocol/receipts'
import type { Signer } from '@hexachord/protocol/signing'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { BlockNotFound, type IpfsNode } from '@hexachord/storage/ipfs'
import { operatorOf, requireOperator } from '@hexachord/storage/peers'
import { Router } from 'express'
import pLimit from 'p-limit'
import { limitPerOperator } from '../copies/index.ts'
import type { HoldingStore } from '../duty/index.ts'

/** Proofs made at one time; each reads up to eight blocks. */
const proofsAtOnce = 2
/** Proofs that may wait for that. */
const proofsWaiting = 32
/** Of one operator. */
const proofsPerMinute = 300

/** `POST /proofs` for other operators, also for those that are leaving: reads the blocks asked for from this node's own
 * disk, and answers with a hash that only those who have them can know. */
export function proofRoutes(options: {
  catalogue: Pick<Catalogue, 'operatorByHotKey' | 'rules'>
  /** Origin of this node. */
  audience: string
  self: Address
  hotKey: Signer
  ipfs: Pick<IpfsNode, 'get'>
  holdings: Pick<HoldingStore, 'get'>
  /** ms since 1970. */
  now: () => number
}): Router {
  const { catalogue, audience, self, hotKey, ipfs, holdings, now } = options
  const { domain } = catalogue.rules
  const router = Router()
  const limit = pLimit(proofsAtOnce)

  router.post(
    '/proofs',
    requireOperator({ domain, audience, catalogue, now, leaving: true }),
    limitPerOperator({ perMinute: proofsPerMinute, now }),
    async (request, response) => {
      const { subject, manifest, nonce, blocks } = parse(proofRequestSchema, request.body)
      // A copy that is itself about to go proves nothing to one who wants to let his go because of it.
      if (holdings.get(subject, manifest)?.state !== 'held') throw notHeld(manifest)
      if (limit.pendingCount >= proofsWaiting) {
        throw new Problem({
          status: 503,
          slug: 'busy',
          detail: 'too many proofs are wanted; try again soon',
          headers: { 'Retry-After': '15' },
        })
      }
      const answer = await limit(() => proofHash(nonce, read(blocks)))
      const context = { operator: self, asker: operatorOf(response).operator, subject, manifest }
      const proof = await signProof(hotKey, domain, { ...context, nonce, answer })
      response.set('Cache-Control', 'no-store').json(proof)
    },
  )

  async function* read(blocks: readonly string[]): AsyncGenerator<Uint8Array> {
    for (const cid of blocks) {
      try {
        yield await ipfs.get(cid)
      } catch (error) {
        if (error instanceof BlockNotFound) throw notHeld(cid)
        throw error
      }
    }
  }

  return router
}

function notHeld(cid: string): Problem {
  return new Problem({ status: 404, slug: 'not-held', detail: `${cid} is not held here` })
}
