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

/** For whom a token speaks, and whose key has signed it. The two are the same until the keys of the account are rotated. */
export type Claim = { readonly account: Address; readonly signer: Address }

type Expected = { readonly domain: Domain; readonly audience: string; readonly now: number }

/** `Authorization` header with which an account writes to one node.
 * @param audience origin of the node, `https://node.example`
 * @param expiresAt ms since 1970, at most {@link maximumTokenMs} ahead
 * @param account an author whom the signer controls, where the server knows who controls whom. @default the signer */
export async function createToken(
  signer: Signer,
  domain: Domain,
  { account, audience, expiresAt }: { account?: Address | undefined; audience: string; expiresAt: number },
): Promise<string> {
  const message = { account: account ?? (await addressOf(signer)), audience, expiresAt }
  const signature = await signMessage(signer, domain, 'Token', message)
  return encode({ ...message, signature })
}

/** The account behind an `Authorization` header, by its own key.
 * @throws TokenError when it is missing, malformed, for another audience, expired, too long-lived or badly signed */
export function verifyToken(header: string | undefined, expected: Expected): Address {
  const { account, signer } = openToken(header, expected)
  if (signer !== account) throw new TokenError(notByAccount)
  return account
}

/** What an `Authorization` header claims. It is for the caller to see that the signer controls the account now.
 * @throws TokenError when it is missing, malformed, for another audience, expired or too long-lived */
export function openToken(header: string | undefined, { domain, audience, now }: Expected): Claim {
  const { signature, ...message } = decode(tokenSchema, header)
  check(message, { audience, now, maximumMs: maximumTokenMs })
  const signer = recovered(() => signerOf(domain, 'Token', message, signature))
  return { account: message.account, signer }
}

/** `Authorization` header of one request from node to node, by hot key.
 * @param path path and query as sent, such as `/uploads/7/blocks?after=3`; or {@link blocksPath}, for all blocks */
export async function createNodeToken(
  hotKey: Signer,
  domain: Domain,
  request: { audience: string; method: string; path: string; expiresAt: number },
): Promise<string> {
  const message = { account: await addressOf(hotKey), ...request }
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
  const signer = recovered(() => signerOf(request.domain, 'NodeToken', message, signature, request.recover))
  if (signer !== message.account) throw new TokenError(notByAccount)
  return signer
}

/** `Authorization` header that asks a discovery provider for an app password.
 * @param device what the listener calls the player, 1 to 60 characters
 * @param nonce 32 random bytes
 * @param expiresAt ms since 1970, at most {@link maximumAppPasswordTokenMs} ahead
 * @param account an author whom the signer controls. @default the signer */
export async function createAppPasswordToken(
  signer: Signer,
  domain: Domain,
  {
    account,
    ...request
  }: { account?: Address | undefined; audience: string; device: string; nonce: Hash; expiresAt: number },
): Promise<string> {
  const message = { account: account ?? (await addressOf(signer)), ...request }
  const signature = await signMessage(signer, domain, 'AppPassword', message)
  return encode({ ...message, signature })
}

/** Who asks for an app password, and for which device. It is for the caller to see that the signer controls the account
 * now, and that each nonce serves once.
 * @throws TokenError as {@link openToken} */
export function openAppPasswordToken(
  header: string | undefined,
  { domain, audience, now }: Expected,
): Claim & { device: string; nonce: Hash; expiresAt: number } {
  const { signature, ...message } = decode(appPasswordTokenSchema, header)
  check(message, { audience, now, maximumMs: maximumAppPasswordTokenMs })
  const signer = recovered(() => signerOf(domain, 'AppPassword', message, signature))
  const { account, device, nonce, expiresAt } = message
  return { account, signer, device, nonce, expiresAt }
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

const notByAccount = 'the token was not signed by its account for this network'

function recovered(recover: () => Address): Address {
  try {
    return recover()
  } catch (cause) {
    if (!(cause instanceof SignatureError)) throw cause
    throw new TokenError(`the token's signature is malformed: ${cause.message}`, { cause })
  }
}

async function addressOf(signer: Signer): Promise<Address> {
  return (await signer.getAddress()).toLowerCase() as Address
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
