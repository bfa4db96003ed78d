import type { Address, Subject } from '@hexachord/protocol/names'
import { paymentDomains } from '@hexachord/protocol/payments'
import {
  type Gate,
  gateAnswerSchema,
  type KeptSecret,
  publicKeyOf,
  type SealedSecret,
  sealSecret,
  signGate,
} from '@hexachord/protocol/premium'
import { listOf, operatorAnswerSchema, type PremiumUpload } from '@hexachord/protocol/rest'
import { digestOf } from '@hexachord/protocol/signing'
import { ApiError, type Connection, noAnswer, readJson, readProblem, reasonOf } from '../connect/index.ts'
import type { HeldKey } from '../keys/index.ts'
import { NodeRefused, type Operator, readOffer } from '../paying/index.ts'
import { tokenFor } from '../writing/index.ts'
import { trackSecretOf } from './track-secret.ts'

type Options = { readonly signal?: AbortSignal | undefined }

/** More add copies of the secret and little safety: players turn to the next one when one is away. */
const usualKeyHolders = 3
const answerWithinMs = 10_000

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
 * @param clearMs so much of the beginning is for everybody
 * @returns for a node and a track, what goes with the upload
 * @throws NoPayments, ApiError, NodeRefused when the node does not prove its key
 */
export function premiumUploads(
  connection: Connection,
  key: HeldKey,
  { keyHolders, clearMs = 0 }: { readonly keyHolders: readonly Address[]; readonly clearMs?: number },
): (node: string, track: Subject) => Promise<PremiumUpload> {
  return async (node, track) => {
    const operators = await operatorsOf(connection)
    const operator = operators.find(({ endpoint }) => URL.parse(endpoint)?.origin === node)
    if (operator === undefined) throw new NodeRefused(`${node} is not the node of any operator`)
    return { sealed: await sealed(connection, key, track, operator), clearMs, keyHolders: [...keyHolders] }
  }
}

/**
 * Gives the secret of a premium track to its key holders, with whom the artist lets have the keys. One is enough: the
 * others get both from each other, also those that were away. May be called again, such as with another gate: what was
 * signed last counts.
 * @returns who has taken it, and why the others have not
 * @throws NoPayments, ApiError when nobody says which operators there are
 */
export async function giveSecret(
  connection: Connection,
  key: HeldKey,
  track: Subject,
  { keyHolders, gate = null, signal }: Options & { keyHolders: readonly Address[]; gate?: Gate | null },
): Promise<{ readonly given: Address[]; readonly refused: { operator: Address; reason: string }[] }> {
  const operators = await operatorsOf(connection, { signal })
  const atMs = connection.now()
  const proof = await signGate(key.signer, connection.domain, { subject: track, gate, atMs })
  const given: Address[] = []
  const refused: { operator: Address; reason: string }[] = []
  await Promise.all(
    keyHolders.map(async (holder) => {
      try {
        const operator = operators.find((one) => one.operator === holder)
        if (operator === undefined) throw new NodeRefused(`${holder} is no active operator`)
        const secret = { sealed: await sealed(connection, key, track, operator), gate, proof }
        await put(connection, key, track, { operator, secret, signal })
        given.push(holder)
      } catch (error) {
        if (!(error instanceof ApiError || error instanceof NodeRefused)) throw error
        refused.push({ operator: holder, reason: error.message })
      }
    }),
  )
  return { given, refused }
}

/** What a key holder says of a track's gate. */
export type ToldGate = { operator: Address; gate?: Gate | null; atMs?: number | undefined; reason?: string }

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
        return { operator: holder, reason: error.message }
      }
    }),
  )
}

async function put(
  connection: Connection,
  key: HeldKey,
  track: Subject,
  { operator, secret, signal }: Options & { operator: Operator; secret: KeptSecret },
): Promise<void> {
  const { origin } = new URL(operator.endpoint)
  const url = `${origin}/premium/${track}`
  const timeout = AbortSignal.timeout(answerWithinMs)
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

function escrowOf({ payments }: Connection) {
  if (payments === undefined) throw new NoPayments('this network has no payments, and so no key holders')
  return paymentDomains(payments).escrow
}
