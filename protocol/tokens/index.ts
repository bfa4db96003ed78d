import * as z from 'zod'
import { checked } from '../checked/index.ts'
import { type Address, addressSchema, type Hash, hashSchema } from '../names/index.ts'
import {
  type Domain,
  type Recover,
  SignatureError,
  type Signer,
  signerOf,
  signMessage,
} from '../signing/index.ts'

/** Longest life of a writer's token: one hour. A stolen one is worth no more than that, and at one node only. */
export const maximumTokenMs = 3_600_000
/** Longest life of a token between nodes. */
export const maximumNodeTokenMs = 60_000
/** What a token for all blocks of a node is for: `GET` of this path, and of everything below it. */
export const blocksPath = '/ipfs/'
/** Longest life of a token that asks for an app password: time for a person to look at what a wallet shows. */
export const maximumAppPasswordTokenMs = 600_000
/** Clocks of honest machines differ by less than this. */
const clockSkewMs = 30_000
const scheme = 'Hexachord '

/** A token that does not entitle its bearer to the request; answered with 401. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
}

const tokenSchema = z.strictObject({
  account: addressSchema,
  audience: z.string().max(300),
  expiresAt: z.int().positive(),
  signature: z.string().max(132),
})
const nodeTokenSchema = z.strictObject({
  ...tokenSchema.shape,
  method: z.string().max(10),
  path: z.string().max(2000),
})
const appPasswordTokenSchema = z.strictObject({
  ...tokenSchema.shape,
  device: z.string().regex(/^[^\p{C}]{1,60}$/u, 'must be 1 to 60 characters, none of them for control'),
  nonce: hashSchema,
})

/** `Authorization` header with which an account writes to one node.
 * @param audience origin of the node, `https://node.example`
 * @param expiresAt ms since 1970, at most {@link maximumTokenMs} ahead */
export async function createToken(
  signer: Signer,
  domain: Domain,
  { audience, expiresAt }: { audience: string; expiresAt: number },
): Promise<string> {
  const account = (await signer.getAddress()).toLowerCase() as Address
  const message = { account, audience, expiresAt }
  const signature = await signMessage(signer, domain, 'Token', message)
  return encode({ ...message, signature })
}

/** The account behind an `Authorization` header.
 * @throws TokenError when it is missing, malformed, for another audience, expired, too long-lived or badly signed */
export function verifyToken(
  header: string | undefined,
  { domain, audience, now }: { domain: Domain; audience: string; now: number },
): Address {
  const { signature, ...message } = decode(tokenSchema, header)
  check(message, { audience, now, maximumMs: maximumTokenMs })
  checkSigner(message.account, () => signerOf(domain, 'Token', message, signature))
  return message.account
}

/** `Authorization` header of one request from node to node, by hot key.
 * @param path path and query as sent, such as `/uploads/7/blocks?after=3`; or {@link blocksPath}, for all blocks */
export async function createNodeToken(
  hotKey: Signer,
  domain: Domain,
  request: { audience: string; method: string; path: string; expiresAt: number },
): Promise<string> {
  const account = (await hotKey.getAddress()).toLowerCase() as Address
  const message = { account, ...request }
  const signature = await signMessage(hotKey, domain, 'NodeToken', message)
  return encode({ ...message, signature })
}

/** The hot key behind a request from node to node. @throws TokenError as {@link verifyToken}, and for another method or path */
export function verifyNodeToken(
  header: string | undefined,
  request: {
    domain: Domain
    audience: string
    method: string
    path: string
    now: number
    /** A faster engine, where there is one. */
    recover?: Recover
  },
): Address {
  const { signature, ...message } = decode(nodeTokenSchema, header)
  check(message, { ...request, maximumMs: maximumNodeTokenMs })
  if (message.method !== request.method || message.path !== request.path) {
    throw new TokenError('the token was signed for another request')
  }
  checkSigner(message.account, () =>
    signerOf(request.domain, 'NodeToken', message, signature, request.recover),
  )
  return message.account
}

/** `Authorization` header that asks a discovery provider for an app password.
 * @param device what the listener calls the player, 1 to 60 characters
 * @param nonce 32 random bytes
 * @param expiresAt ms since 1970, at most {@link maximumAppPasswordTokenMs} ahead */
export async function createAppPasswordToken(
  signer: Signer,
  domain: Domain,
  request: { audience: string; device: string; nonce: Hash; expiresAt: number },
): Promise<string> {
  const account = (await signer.getAddress()).toLowerCase() as Address
  const message = { account, ...request }
  const signature = await signMessage(signer, domain, 'AppPassword', message)
  return encode({ ...message, signature })
}

/** Who asks for an app password, and for which device. It is for the caller to see that each nonce serves once.
 * @throws TokenError as {@link verifyToken} */
export function verifyAppPasswordToken(
  header: string | undefined,
  { domain, audience, now }: { domain: Domain; audience: string; now: number },
): { account: Address; device: string; nonce: Hash; expiresAt: number } {
  const { signature, ...message } = decode(appPasswordTokenSchema, header)
  check(message, { audience, now, maximumMs: maximumAppPasswordTokenMs })
  checkSigner(message.account, () => signerOf(domain, 'AppPassword', message, signature))
  const { account, device, nonce, expiresAt } = message
  return { account, device, nonce, expiresAt }
}

function check(
  message: { audience: string; expiresAt: number },
  { audience, now, maximumMs }: { audience: string; now: number; maximumMs: number },
): void {
  if (message.audience !== audience) {
    throw new TokenError(`the token is for ${message.audience}, this node is ${audience}`)
  }
  if (message.expiresAt + clockSkewMs < now) {
    throw new TokenError('the token has expired: sign a new one (and check the clock of this machine)')
  }
  if (message.expiresAt > now + maximumMs + clockSkewMs) {
    throw new TokenError(`the token lives too long: at most ${maximumMs / 1000} s are accepted`)
  }
}

function checkSigner(account: Address, recover: () => Address): void {
  try {
    if (recover() === account) return
  } catch (cause) {
    if (!(cause instanceof SignatureError)) throw cause
    throw new TokenError(`the token's signature is malformed: ${cause.message}`, { cause })
  }
  throw new TokenError('the token was not signed by its account for this network')
}

function encode(value: object): string {
  // btoa and headers take no more than Latin-1; JSON can say all of Unicode in ASCII.
  const json = JSON.stringify(value).replaceAll(/[\u0080-\uffff]/g, escaped)
  const base64 = btoa(json)
  return scheme + base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function decode<T>(schema: z.ZodType<T>, header: string | undefined): T {
  if (header === undefined || !header.startsWith(scheme)) {
    throw new TokenError("the header 'Authorization: Hexachord <token>' is missing")
  }
  if (header.length > 6000) throw new TokenError('the token is too long')
  let value: unknown
  try {
    value = JSON.parse(atob(header.slice(scheme.length).replaceAll('-', '+').replaceAll('_', '/')))
  } catch (cause) {
    throw new TokenError('the token is not base64url of JSON', { cause })
  }
  const result = checked(schema, value)
  if (!result.success) {
    const issue = result.error.issues[0]
    throw new TokenError(`the token is malformed: ${issue?.path.join('.')} ${issue?.message}`)
  }
  return result.data
}
