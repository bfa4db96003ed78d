import type { Address, Subject } from '@hexachord/protocol/names'
import { paymentDomains } from '@hexachord/protocol/payments'
import {
  type Gate,
  type GivenSecret,
  gateAnswerSchema,
  publicKeyOf,
  type SealedSecret,
  sealSecret,
  signGate,
} from '@hexachord/protocol/premium'
import { listOf, operatorAnswerSchema } from '@hexachord/protocol/rest'
import { digestOf } from '@hexachord/protocol/signing'
import {
  ApiError,
  type Connection,
  noAnswer,
  patiently,
  readJson,
  readProblem,
  reasonOf,
} from '../connect/index.ts'
import { findTrack, loadManifest } from '../finding/index.ts'
import type { HeldKey } from '../keys/index.ts'
import { NodeRefused, type Operator, readOffer } from '../paying/index.ts'
import { NotPremium, type PremiumUploads } from '../uploading/index.ts'
import { tokenFor } from '../writing/index.ts'
import { trackSecretOf } from './track-secret.ts'

type Options = { readonly signal?: AbortSignal | undefined }

/** More add copies of the secret and little safety: players turn to the next one when one is away. */
const usualKeyHolders = 3
const answerWithinMs = 10_000
/** It tries the secret on the track, of which it may have nothing yet. */
const takenWithinMs = 30_000
/** A track is published once an index has it; a node may read the chain some blocks later, and then its manifest. */
const readsWithinMs = 30_000
const notRead = ['unknown-track', 'not-a-key-holder', 'wrong-secret'].map(problemName)
const secretUnknown = problemName('secret-unknown')

/** The network has no payments, so that nobody could be a key holder. */
export class NoPayments extends Error {
  override readonly name = 'NoPayments'
}

/**
 * Operators who can be key holders, in the order in which they answer: those with a till, whose signed offer proves their
 * hot key.
 * @throws NoPayments, ApiError
 */
export async function findKeyHolders(
  connection: Connection,
  { count = usualKeyHolders, ...options }: Options & { readonly count?: number } = {},
): Promise<Address[]> {
  const found: Address[] = []
  const asked = (await operatorsOf(connection, options)).map(async (operator) => {
    try {
      await publicKeyAt(connection, operator, options)
      found.push(operator.operator)
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof NodeRefused)) throw error
    }
  })
  await Promise.all(asked)
  return found.slice(0, count)
}

/**
 * What `uploadTrack` tells a creator node so that it makes a premium track. The node learns the track's secret and hears
 * all of it, as it hears every upload; nobody else does but the key holders.
 * @param options.keyHolders default: three that answer soonest, the same for all tracks
 * @param options.clearMs so much of the beginning is for everybody
 * @returns makes what goes with an upload; throws NoPayments, ApiError, NodeRefused when the node does not prove its key
 */
export function premiumUploads(
  connection: Connection,
  key: HeldKey,
  { keyHolders, clearMs = 0 }: { readonly keyHolders?: readonly Address[]; readonly clearMs?: number } = {},
): PremiumUploads {
  let found: Promise<Address[]> | undefined

  async function findOnce(): Promise<readonly Address[]> {
    found ??= findKeyHolders(connection)
    try {
      const some = await found
      if (some.length === 0) throw new NodeRefused('no operator answers that could be a key holder')
      return some
    } catch (error) {
      found = undefined
      throw error
    }
  }

  return {
    keyHolders,
    clearMs,
    async toNode(node, track, begun) {
      const holders = keyHolders ?? begun ?? (await findOnce())
      const operators = await operatorsOf(connection)
      const operator = operators.find(({ endpoint }) => URL.parse(endpoint)?.origin === node)
      if (operator === undefined) throw new NodeRefused(`${node} is not the node of any operator`)
      return { sealed: await sealed(connection, key, track, operator), clearMs, keyHolders: [...holders] }
    },
  }
}

/**
 * The key holders of a published track, as its manifest names them.
 * @throws NotPremium, RetrievalFailed, ApiError
 */
export async function keyHoldersOf(
  connection: Connection,
  track: Subject,
  { signal }: Options = {},
): Promise<readonly Address[]> {
  const found = await findTrack(connection, track, signal ? { signal } : {})
  const { keyHolders } = (await loadManifest(connection, found, { signal })).manifest
  if (keyHolders !== undefined) return keyHolders
  throw new NotPremium(`${track} is not premium: it has no keys, and so no gate`)
}

export type Giving = Options & {
  /** Only these of the track's key holders. @default all of them */
  readonly keyHolders?: readonly Address[]
  readonly gate?: Gate | null
}

/** Why a key holder does not tell or take something. */
export type Refusal = {
  operator: Address
  reason: string
  /** Neither it nor any other that it could ask has been given the track's secret. */
  lacksSecret?: true
}

/** Who has taken it, and why the others have not. */
export type Given = {
  readonly given: Address[]
  readonly refused: Refusal[]
}

/**
 * Gives the secret of a published premium track to its key holders, with whom the artist lets have the keys. One is
 * enough: the others get both from each other, also those that were away. Whoever is not on the list in the track's
 * manifest gets nothing. A key holder that has not yet read of the track is waited for.
 * @param options.gate default: none, so that whoever pays is let in
 * @throws NotPremium, NoPayments, RetrievalFailed, ApiError when nobody says who they are
 */
export function giveSecret(
  connection: Connection,
  key: HeldKey,
  track: Subject,
  { gate = null, ...options }: Giving = {},
): Promise<Given> {
  return give(connection, key, track, {
    ...{ ...options, gate },
    sealedTo: (operator) => sealed(connection, key, track, operator),
  })
}

/**
 * Says who may have the keys of a premium track whose key holders have its secret already: what was signed last counts.
 * The secret stays what it is, also where the account's key is another by now than the one from which it follows.
 * @throws as `giveSecret`
 */
export function setGate(
  connection: Connection,
  key: HeldKey,
  track: Subject,
  { gate, ...options }: Giving & { readonly gate: Gate | null },
): Promise<Given> {
  return give(connection, key, track, { ...options, gate })
}

async function give(
  connection: Connection,
  key: HeldKey,
  track: Subject,
  options: Options & {
    readonly keyHolders?: readonly Address[]
    readonly gate: Gate | null
    readonly sealedTo?: (operator: Operator) => Promise<SealedSecret>
  },
): Promise<Given> {
  const { gate, sealedTo, signal } = options
  const [listed, operators] = await Promise.all([
    keyHoldersOf(connection, track, { signal }),
    operatorsOf(connection, { signal }),
  ])
  const atMs = connection.now()
  const proof = await signGate(key.signer, connection.domain, { subject: track, gate, atMs })
  const given: Address[] = []
  const refused: Refusal[] = []
  await Promise.all(
    (options.keyHolders ?? listed).map(async (holder) => {
      try {
        if (!listed.includes(holder)) throw new NodeRefused(`it is no key holder of ${track}`)
        const operator = operators.find((one) => one.operator === holder)
        if (operator === undefined) throw new NodeRefused(`${holder} is no active operator`)
        const secret = { ...(sealedTo && { sealed: await sealedTo(operator) }), gate, proof }
        await put(connection, key, track, { operator, secret, signal })
        given.push(holder)
      } catch (error) {
        if (!(error instanceof ApiError || error instanceof NodeRefused)) throw error
        refused.push(refusalOf(holder, error))
      }
    }),
  )
  return { given, refused }
}

/** What a key holder says of a track's gate. */
export type ToldGate = Partial<Refusal> & {
  operator: Address
  gate?: Gate | null
  atMs?: number | undefined
}

/**
 * Asks each key holder of a track what its gate is.
 * @returns null for no gate but a price, and when it was set, in ms since 1970, where that is known; a reason where a key
 *   holder does not say
 * @throws NoPayments, ApiError when nobody says which operators there are
 */
export async function readGates(
  connection: Connection,
  track: Subject,
  { keyHolders, signal }: Options & { keyHolders: readonly Address[] },
): Promise<ToldGate[]> {
  const operators = await operatorsOf(connection, { signal })
  return Promise.all(
    keyHolders.map(async (holder) => {
      const found = operators.find(({ operator }) => operator === holder)
      if (found === undefined) return { operator: holder, reason: 'it is no active operator' }
      const url = `${new URL(found.endpoint).origin}/premium/${track}`
      const options = { timeoutMs: answerWithinMs, ...(signal ? { signal } : {}) }
      try {
        return { operator: holder, ...(await readJson(connection.http, url, gateAnswerSchema, options)) }
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        return refusalOf(holder, error)
      }
    }),
  )
}

async function put(
  connection: Connection,
  key: HeldKey,
  track: Subject,
  options: Options & { operator: Operator; secret: GivenSecret },
): Promise<void> {
  const { signal } = options
  await patiently(() => putOnce(connection, key, track, options), {
    ...{ signal, patienceMs: () => readsWithinMs },
    passes: (error) =>
      error instanceof ApiError && (error.status === 502 || notRead.includes(error.problem ?? '')),
  })
}

async function putOnce(
  connection: Connection,
  key: HeldKey,
  track: Subject,
  { operator, secret, signal }: Options & { operator: Operator; secret: GivenSecret },
): Promise<void> {
  const { origin } = new URL(operator.endpoint)
  const url = `${origin}/premium/${track}`
  const timeout = AbortSignal.timeout(takenWithinMs)
  let response: Response
  try {
    response = await connection.http(url, {
      method: 'PUT',
      headers: {
        authorization: await tokenFor(connection, key, origin),
        'content-type': 'application/json',
      },
      body: JSON.stringify(secret),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
  } catch (cause) {
    signal?.throwIfAborted()
    throw noAnswer(url, reasonOf(cause), cause)
  }
  if (!response.ok) throw await readProblem(response, url)
}

async function sealed(
  connection: Connection,
  key: HeldKey,
  subject: Subject,
  operator: Operator,
): Promise<SealedSecret> {
  const publicKey = await publicKeyAt(connection, operator)
  return sealSecret(trackSecretOf(key, subject), { subject, publicKey }, (bytes) =>
    crypto.getRandomValues(bytes),
  )
}

/** The chain knows the address of a hot key only; whatever it has signed tells the key itself. */
async function publicKeyAt(
  connection: Connection,
  operator: Operator,
  { signal }: Options = {},
): Promise<string> {
  const domain = escrowOf(connection)
  const { offer } = await readOffer(connection.http, operator, { domain, now: connection.now, signal })
  const { escrow: _, chainId: __, signature, ...message } = offer
  return publicKeyOf(digestOf(domain, 'TillOffer', message), signature)
}

async function operatorsOf(connection: Connection, { signal }: Options = {}): Promise<Operator[]> {
  escrowOf(connection)
  const path = '/v1/operators?active=true'
  const { items } = await connection.discover(path, listOf(operatorAnswerSchema), signal ? { signal } : {})
  return items
}

function refusalOf(operator: Address, error: ApiError | NodeRefused): Refusal {
  const lacks = error instanceof ApiError && error.problem === secretUnknown
  return { operator, reason: error.message, ...(lacks ? { lacksSecret: true } : {}) }
}

function problemName(slug: string): string {
  return `urn:hexachord:problem:${slug}`
}

function escrowOf({ payments }: Connection) {
  if (payments === undefined) throw new NoPayments('this network has no payments, and so no key holders')
  return paymentDomains(payments).escrow
}
