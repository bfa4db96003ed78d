import { Interface } from 'ethers'
import { encodeCanonicalJson, type Json } from '../canonical/index.ts'
import { checked } from '../checked/index.ts'
import { type Address, type Hash, type Subject, subjectToBytes32 } from '../names/index.ts'
import { type Domain, SignatureError, type Signer, signerOf, signMessage } from '../signing/index.ts'
import { actionHash } from './acted-log.ts'
import type { KindName } from './kinds.ts'
import { kinds } from './kinds.ts'
import { maximumContentBytes, type SignedAction } from './signed-action.ts'

/** How long a signed action may wait for the chain: a day, in seconds. */
export const actionLifeSeconds = 86_400

/** An entry of the catalogue as it stands on the chain. */
export type Action = {
  readonly hash: Hash
  readonly signer: Address
  readonly author: Address
  readonly nonce: bigint
  readonly kind: number
  readonly subject: Subject
  readonly content: Uint8Array
}

/** By which anyone puts a signed action onto the chain. Held against the compiled ABI by a test of the contracts. */
export const actFragment =
  'function act(address author, uint256 nonce, uint16 kind, bytes32 subject, bytes content, uint256 deadline, bytes signature)'

const functions = new Interface([actFragment])

/** Signs an action of a known kind; the content is checked first, so that nothing is signed which every
 * indexer would reject as malformed.
 * @param nonce unused by this signer; 256 random bits are fine
 * @throws ActionError */
export async function signAction(
  signer: Signer,
  domain: Domain,
  {
    kind,
    ...action
  }: {
    author: Address
    nonce: bigint
    kind: KindName
    subject: Subject
    content: Json
    /** Unix seconds. */
    deadline: number
  },
): Promise<SignedAction & { hash: Hash }> {
  const definition = kinds[kind]
  const parsed = checked(definition.schema, action.content)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new ActionError(`the ${kind} action is malformed: ${issue?.path.join('.')} ${issue?.message}`)
  }
  const content = encodeCanonicalJson(parsed.data as Json)
  if (content.length > maximumContentBytes) {
    throw new ActionError(
      `the ${kind} action is ${content.length} bytes; the chain takes ${maximumContentBytes}`,
    )
  }
  const message = {
    author: action.author,
    nonce: action.nonce,
    kind: definition.number,
    subject: subjectToBytes32(action.subject),
    content,
    deadline: BigInt(action.deadline),
  }
  const signature = await signMessage(signer, domain, 'Action', message)
  const signerAddress = (await signer.getAddress()).toLowerCase() as Address
  return {
    hash: actionHash({ ...message, signer: signerAddress, subject: action.subject }),
    author: action.author,
    nonce: action.nonce.toString(),
    kind: definition.number,
    subject: action.subject,
    content: new TextDecoder().decode(content),
    deadline: action.deadline,
    signature,
  }
}

/** The action inside a signed action. @throws ActionError when the signature is malformed */
export function openAction(signed: SignedAction, domain: Domain): Action {
  const content = new TextEncoder().encode(signed.content)
  if (content.length > maximumContentBytes) {
    throw new ActionError(`the content is ${content.length} bytes; the chain takes ${maximumContentBytes}`)
  }
  const action = {
    author: signed.author,
    nonce: BigInt(signed.nonce),
    kind: signed.kind,
    subject: signed.subject,
    content,
  }
  try {
    const signer = signerOf(
      domain,
      'Action',
      { ...action, subject: subjectToBytes32(signed.subject), deadline: BigInt(signed.deadline) },
      signed.signature,
    )
    return { hash: actionHash({ ...action, signer }), ...action, signer }
  } catch (cause) {
    if (cause instanceof SignatureError) throw new ActionError(cause.message, { cause })
    throw cause
  }
}

/** Data of the transaction to the Catalog that puts a signed action onto the chain; anyone may send it. */
export function actData(signed: SignedAction): string {
  return functions.encodeFunctionData('act', [
    signed.author,
    BigInt(signed.nonce),
    signed.kind,
    subjectToBytes32(signed.subject),
    new TextEncoder().encode(signed.content),
    signed.deadline,
    signed.signature,
  ])
}

/** An action that no indexer would accept, found before it was sent. */
export class ActionError extends Error {
  override readonly name = 'ActionError'
}
