import type { ChainReader } from '@hexachord/platform/chain'
import { type GuardedFetch, Problem } from '@hexachord/platform/http'
import type { Logger } from '@hexachord/platform/process'
import type { Sqlite } from '@hexachord/platform/sqlite'
import { parsed } from '@hexachord/protocol/checked'
import type { Address, Subject } from '@hexachord/protocol/names'
import { type KeptSecret, keptSecretSchema } from '@hexachord/protocol/premium'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import type { Wallet } from 'ethers'
import type { Router } from 'express'
import type { Catalogue } from '../catalogue/index.ts'
import type { KeysOf } from '../hls/index.ts'
import { BlockNotFound, type IpfsNode } from '../ipfs/index.ts'
import { createIdentify, type NodeClient, requireOperator } from '../peers/index.ts'
import type { NodeTill } from '../till/index.ts'
import { fetchFromHolders } from '../tracks/index.ts'
import { premiumRoutes } from './premium-routes.ts'
import { createSecretStore } from './secret-store.ts'

/** A listener waits for it, each minute. */
const answerMs = 2_000
const answerBytes = 10_000
/** An artist waits for it, once for each track. */
const blockMs = 10_000

/** What a node does as a key holder of premium tracks. */
export type NodePremium = {
  readonly routes: Router
  /**
   * Where playlists of this node find the keys of a track.
   * @param subjectOf a track that has a manifest, as far as this node knows
   * @returns for a manifest and a rendition, paths of keys, relative to `/hls/:manifest/`; undefined where this node is no
   *   key holder of it
   */
  keysBy(subjectOf: (manifest: string) => Subject | undefined): KeysOf
}

/**
 * Opens what a node does as a key holder of premium tracks: see `premiumRoutes`.
 * @param options.database opened with `premiumMigrations`
 */
export function openPremium(options: {
  database: Sqlite
  reader: Pick<ChainReader, 'call'>
  catalogue: Catalogue
  till: Pick<NodeTill, 'gate' | 'loadTrack' | 'priceOf'>
  ipfs: Pick<IpfsNode, 'get'>
  client: NodeClient
  /** Signs as a peer, see `createPeerFetch`. */
  peerFetch: GuardedFetch
  hotKey: Wallet
  self: Address
  /** Origin of this node. */
  publicUrl: string
  logger: Logger
  /** ms since 1970. */
  now: () => number
}): NodePremium {
  const { catalogue, till, client, hotKey, logger, publicUrl: audience, now } = options
  const { domain } = catalogue.rules
  const publicKey = hotKey.signingKey.compressedPublicKey

  async function ask(operator: Address, subject: Subject): Promise<KeptSecret | undefined> {
    const endpoint = catalogue.operators().get(operator)?.endpoint
    if (endpoint === undefined) return undefined
    try {
      const path = `/premium/${subject}/sealed?publicKey=${publicKey}`
      const response = await client(endpoint, path, { timeoutMs: answerMs, maxBytes: answerBytes })
      if (response.ok) return parsed(keptSecretSchema, await response.json())
      logger.info({ operator, subject, status: response.status }, 'a key holder does not give the secret')
    } catch (err) {
      logger.info({ err, operator, subject }, 'a key holder does not give the secret')
    }
    return undefined
  }

  async function askOthers(subject: Subject, keyHolders: readonly Address[]): Promise<KeptSecret[]> {
    const answers = await Promise.all(keyHolders.map((operator) => ask(operator, subject)))
    return answers.filter((answer) => answer !== undefined)
  }

  const { self } = options
  const fetchFrom = fetchFromHolders({ catalogue, fetch: options.peerFetch, self })

  async function blockOf(subject: Subject, cid: string): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(blockMs)
    try {
      return await options.ipfs.get(cid, { signal })
    } catch (error) {
      if (!(error instanceof BlockNotFound)) throw error
    }
    try {
      return await fetchFrom(subject, cid, signal)
    } catch (cause) {
      if (!(cause instanceof RetrievalFailed) && !signal.aborted) throw cause
      const detail = `no holder of ${subject} gives the block now by which its secret is tried; try again soon`
      throw new Problem({ status: 502, detail, headers: { 'Retry-After': '5' }, cause })
    }
  }

  const routes = premiumRoutes({
    ...{ self, catalogue, reader: options.reader, now, askOthers, blockOf, domain },
    ...{ privateKey: hotKey.privateKey, secrets: createSecretStore(options.database) },
    ...{ loadTrack: till.loadTrack, priceOf: till.priceOf, sell: till.gate.sell },
    identify: createIdentify({ domain, audience, now }),
    requireOperator: requireOperator({ domain, audience, catalogue, now }),
  })
  return {
    routes,
    keysBy: (subjectOf) => (track, rendition) => {
      const subject = track.manifest.keyHolders?.includes(self) ? subjectOf(track.cid) : undefined
      if (subject === undefined) return undefined
      return (segment) => `../../premium/${subject}/keys/${track.cid}/${rendition}/${segment}`
    },
  }
}
