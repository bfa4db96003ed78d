import type { ChainReader } from '@hexachord/platform/chain'
import { Problem, parse } from '@hexachord/platform/http'
import type { LoadedTrack } from '@hexachord/protocol/manifests'
import {
  type Address,
  authorOf,
  isSubject,
  parseAddress,
  type Subject,
  subjectToBytes32,
} from '@hexachord/protocol/names'
import { unitsOfBlocks } from '@hexachord/protocol/payments'
import {
  type gateAnswerSchema,
  givenSecretSchema,
  type KeptSecret,
  SealedSecretError,
  sealSecret,
  segmentKey,
} from '@hexachord/protocol/premium'
import { computeAddress } from 'ethers'
import { type Request, type RequestHandler, Router } from 'express'
import * as z from 'zod'
import { type Catalogue, liveTrack } from '../catalogue/index.ts'
import { type Identify, operatorOf } from '../peers/index.ts'
import type { NodeTill } from '../till/index.ts'
import { checkGate } from './check-gate.ts'
import { opensTrack } from './check-secret.ts'
import { createHeldSecrets, type HeldSecretsOptions, setAt } from './held-secrets.ts'

export type PremiumRoutesOptions = HeldSecretsOptions & {
  /** This operator. */
  readonly self: Address
  readonly catalogue: Pick<Catalogue, 'entry' | 'identity' | 'subject' | 'replacedAt'>
  readonly reader: Pick<ChainReader, 'call'>
  /** The manifest of a track with its renditions, from here or from its holders. @throws Problem */
  readonly loadTrack: (manifest: string, subject: Subject) => Promise<LoadedTrack>
  /** Price of a unit of a track now, in base units; undefined for one without terms. */
  readonly priceOf: (subject: Subject) => bigint | undefined
  /** Charges a unit of a track to the listener's session, durably. @returns headers for the answer @throws Problem 402 */
  readonly sell: NodeTill['gate']['sell']
  /** A block of a track, verified, from here or from its holders. @throws Problem 502 */
  readonly blockOf: (subject: Subject, cid: string) => Promise<Uint8Array>
  readonly identify: Identify
  readonly requireOperator: RequestHandler
}

const keyQuery = z.object({ s: z.string().max(100).optional() })
const sealedQuery = z.object({
  publicKey: z.string().regex(/^0x0[23][0-9a-f]{64}$/, 'must be a compressed key'),
})

/**
 * What a key holder does for the premium tracks of which it has the secret:
 * `PUT /premium/:subject` takes secret and gate from the artist, where the track's manifest lists this node and the secret
 * opens the track; without a secret, the gate alone where it has one; `GET /premium/:subject/sealed` gives it, sealed anew, to
 * another operator of the artist's list; `GET /premium/:subject` says what the gate is, and refuses the account whose token
 * comes along where it does not pass, before it has paid for anything; `GET /premium/:subject/keys/:manifest/:rendition/:segment` gives the key of one
 * segment, 16 bytes, to whoever has paid for it (`?s=` names a session, as for paid blocks) and passes the artist's gate
 * (with the token of an account). A track with neither price nor gate opens for nobody. A gate is signed by the artist:
 * before a key holder goes by one it asks the others for a later one, see `HeldSecrets`.
 */
export function premiumRoutes(options: PremiumRoutesOptions): Router {
  const { self, catalogue, identify } = options
  const secrets = createHeldSecrets(options)
  const units = new WeakMap<LoadedTrack, Map<string, number>>()
  const router = Router()

  router.put('/premium/:subject', async (request, response) => {
    const subject = subjectIn(request)
    const account = identify(request)
    const { controller } = catalogue.identity(authorOf(subject), options.now())
    if (account !== controller) {
      throw new Problem({
        status: 403,
        slug: 'not-the-author',
        detail: `only ${controller}, who controls ${authorOf(subject)}, says who has the keys of ${subject}`,
      })
    }
    const given = parse(givenSecretSchema, request.body)
    const track = await liveManifest(subject)
    requireListed(subject, track)
    const sealed = given.sealed ?? (await secretOf(subject, track)).sealed
    const secret: KeptSecret = { ...given, sealed }
    checkProof(subject, secret)
    await checkSecret(subject, secret, track)
    // Another gate may have come meanwhile.
    checkProof(subject, secret)
    secrets.take(subject, secret)
    response.status(204).end()
  })

  router.get('/premium/:subject', async (request, response) => {
    const subject = subjectIn(request)
    const { gate, proof } = await secretOf(subject, await liveManifest(subject))
    const hasToken = request.get('authorization') !== undefined
    if (gate !== null && hasToken) await checkGate(gate, { account: identify(request), subject }, options)
    const answer: z.output<typeof gateAnswerSchema> = proof ? { gate, atMs: proof.atMs } : { gate }
    response.set('Cache-Control', 'no-store').json(answer)
  })

  router.get('/premium/:subject/sealed', options.requireOperator, async (request, response) => {
    const subject = subjectIn(request)
    const { publicKey } = parse(sealedQuery, request.query)
    const { operator, hotKey } = operatorOf(response)
    if (parseAddress(computeAddress(publicKey)) !== hotKey) {
      throw new Problem({
        status: 403,
        slug: 'not-your-key',
        detail: 'this is not the public key of your hot key',
      })
    }
    const { manifest } = await liveManifest(subject)
    if (!manifest.keyHolders?.includes(operator)) {
      throw new Problem({
        status: 403,
        slug: 'not-a-key-holder',
        detail: `the artist of ${subject} does not have ${operator} on the list of key holders`,
      })
    }
    const kept = secrets.get(subject)
    if (kept === undefined) throw unknownSecret(subject)
    const random = (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes)
    const sealed = sealSecret(secrets.opened(kept, subject), { subject, publicKey }, random)
    response.set('Cache-Control', 'no-store').json({ ...kept, sealed } satisfies KeptSecret)
  })

  router.get('/premium/:subject/keys/:manifest/:rendition/:segment', async (request, response) => {
    const subject = subjectIn(request)
    const { s } = parse(keyQuery, request.query)
    const track = await trackOf(subject, String(request.params.manifest))
    const { salt, segment, cid } = placeIn(track, request)
    const kept = await secretOf(subject, track)
    const price = options.priceOf(subject)
    if (kept.gate !== null) {
      await checkGate(kept.gate, { account: identify(request), subject }, options)
    } else if (price === undefined || price === 0n) {
      throw new Problem({
        status: 403,
        slug: 'no-price',
        detail: `the artist of ${subject} has set neither a price nor a gate yet, and so nobody has the keys`,
      })
    }
    // Before anybody pays for it.
    const { key } = segmentKey(secrets.opened(kept, subject), salt, segment)
    const asked = { request, cid, session: s, isHead: false }
    const unit = unitsIn(track).get(cid)
    const block = { subject, track: subjectToBytes32(subject), unit, part: 0 }
    const paid = await options.sell(asked, block)
    response
      .set({ ...paid, 'Content-Type': 'application/octet-stream', 'Cache-Control': 'no-store' })
      .send(Buffer.from(key))
  })

  /** A manifest that the track has now or had a moment ago. Another, made for the purpose, could have all of a track's
   * keys in one unit of its time. */
  async function trackOf(subject: Subject, manifest: string): Promise<LoadedTrack> {
    const live = liveTrack(subject, catalogue.subject(subject))
    const isOurs = live?.manifest === manifest || catalogue.replacedAt(subject, manifest) !== undefined
    if (live === undefined || !isOurs) {
      throw new Problem({
        status: 404,
        slug: 'not-its-manifest',
        detail: `${manifest.slice(0, 100)} is no manifest of ${subject}, as far as this node has read the chain`,
      })
    }
    return options.loadTrack(manifest, subject)
  }

  async function liveManifest(subject: Subject): Promise<LoadedTrack> {
    const live = liveTrack(subject, catalogue.subject(subject))
    if (live !== undefined) return options.loadTrack(live.manifest, subject)
    throw new Problem({
      status: 404,
      slug: 'unknown-track',
      detail: `${subject} is no published track, as far as this node has read the chain`,
    })
  }

  /** @throws Problem where this node is to have no keys of a track */
  function requireListed(subject: Subject, { manifest }: LoadedTrack): readonly Address[] {
    const { keyHolders } = manifest
    if (keyHolders?.includes(self)) return keyHolders
    if (keyHolders === undefined) {
      throw new Problem({
        status: 404,
        slug: 'not-premium',
        detail: `${subject} is not premium: it has no keys`,
      })
    }
    throw new Problem({
      status: 404,
      slug: 'not-a-key-holder',
      detail: `this node gives out no keys of ${subject}; these operators do: ${keyHolders.join(', ')}`,
      members: { keyHolders },
    })
  }

  async function secretOf(subject: Subject, track: LoadedTrack): Promise<KeptSecret> {
    const keyHolders = requireListed(subject, track)
    const others = keyHolders.filter((operator) => operator !== self)
    const kept = await secrets.newest(subject, others)
    if (kept === undefined) throw unknownSecret(subject)
    return kept
  }

  /** What is not known yet is tried before it takes the place of anything. @throws Problem */
  async function checkSecret(subject: Subject, given: KeptSecret, track: LoadedTrack): Promise<void> {
    const secret = openGiven(subject, given)
    const kept = secrets.get(subject)
    if (kept !== undefined && Buffer.compare(secrets.opened(kept, subject), secret) === 0) return
    if (await opensTrack(secret, track, (cid) => options.blockOf(subject, cid))) return
    throw new Problem({
      status: 409,
      slug: 'wrong-secret',
      detail: `this secret does not open ${subject}: it follows from the key by which the music was uploaded, and from no later one`,
    })
  }

  /** @throws Problem */
  function openGiven(subject: Subject, given: KeptSecret): Uint8Array {
    try {
      return secrets.opened(given, subject)
    } catch (cause) {
      if (!(cause instanceof SealedSecretError)) throw cause
      throw new Problem({ status: 400, slug: 'invalid-secret', detail: cause.message, cause })
    }
  }

  /** @throws Problem */
  function checkProof(subject: Subject, secret: KeptSecret): void {
    if (!secrets.isArtists(subject, secret)) {
      throw new Problem({
        status: 400,
        slug: 'invalid-gate',
        detail: 'a gate is signed by whoever controls the track, and for now: is your clock right?',
      })
    }
    const kept = secrets.get(subject)
    if (kept === undefined || setAt(kept) <= setAt(secret)) return
    throw new Problem({
      status: 409,
      slug: 'older-gate',
      detail: `the gate of ${subject} was set later, at ${new Date(setAt(kept)).toISOString()}: is your clock right?`,
    })
  }

  function unitsIn(track: LoadedTrack): Map<string, number> {
    const known = units.get(track)
    if (known !== undefined) return known
    const found = unitsOfBlocks(track)
    units.set(track, found)
    return found
  }

  return router
}

function subjectIn(request: Request): Subject {
  const { subject } = request.params
  if (isSubject(subject)) return subject
  throw new Problem({
    status: 400,
    slug: 'malformed-subject',
    detail: 'a track is 0x<40 hex digits>-<number>',
  })
}

function placeIn(track: LoadedTrack, request: Request): { salt: string; segment: number; cid: string } {
  const { rendition, segment } = request.params
  const { encryption, segments } = track.renditions[Number(rendition)] ?? {}
  const place = /^\d{1,5}$/.test(String(segment)) ? Number(segment) : -1
  const cid = segments?.[place]?.[2]['/']
  if (encryption === undefined || cid === undefined || place < encryption.clearSegments) {
    throw new Problem({
      status: 404,
      slug: 'no-such-key',
      detail: `${track.cid} has no encrypted segment ${segment} in rendition ${rendition}`,
    })
  }
  return { salt: encryption.salt, segment: place, cid }
}

function unknownSecret(subject: Subject): Problem {
  return new Problem({
    status: 503,
    slug: 'secret-unknown',
    title: 'Secret unknown',
    detail: `this node has not been given the secret of ${subject} yet: ask another key holder`,
    headers: { 'Retry-After': '60' },
  })
}
