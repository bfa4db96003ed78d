import { catalogAbi } from '@hexachord/contracts/generated'
import { readNetworkFile } from '@hexachord/contracts/networks'
import {
  type Action,
  actionHash,
  actionLifeSeconds,
  type KindName,
  type SignedAction,
  signAction,
} from '@hexachord/protocol/actions'
import { encodeCanonicalJson, type Json } from '@hexachord/protocol/canonical'
import { type Address, authorOf, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { type ActionStatus, actionStatusSchema } from '@hexachord/protocol/rest'
import { type Domain, signMessage } from '@hexachord/protocol/signing'
import { eventually, mined } from '@hexachord/scripts/testing'
import type { Account } from '@hexachord/sdk/keys'
import { Contract, hexlify, JsonRpcProvider, randomBytes, toUtf8Bytes } from 'ethers'
import type { Artist } from './artist.ts'

type Written = { kind: KindName; subject: Subject; content: Json }

/** A number that no action of this signer has used. */
export function freshNonce(): bigint {
  return BigInt(hexlify(randomBytes(32)))
}

/** An action with everything right about it but, perhaps, what it says. */
export async function signed(
  { account, connection }: Pick<Artist, 'account' | 'connection'>,
  { kind, subject, content }: Written,
  changes: Partial<{ deadline: number; nonce: bigint; author: Address }> = {},
): Promise<SignedAction & { hash: string }> {
  return signAction(account.signer, connection.domain, {
    kind,
    subject,
    content,
    author: authorOf(subject),
    nonce: freshNonce(),
    deadline: Math.floor(Date.now() / 1000) + actionLifeSeconds,
    ...changes,
  })
}

/** An action that no client of ours would sign: its content is not even looked at. */
export async function signedBlindly(
  account: Account,
  domain: Domain,
  { kind, subject, content }: Omit<Written, 'kind'> & { kind: number },
  author: Address = authorOf(subject),
): Promise<SignedAction & { hash: string }> {
  const deadline = Math.floor(Date.now() / 1000) + actionLifeSeconds
  const bytes = encodeCanonicalJson(content)
  const action: Omit<Action, 'hash' | 'signer'> = {
    author,
    nonce: freshNonce(),
    kind,
    subject,
    content: bytes,
  }
  const message = { ...action, subject: subjectToBytes32(subject), deadline: BigInt(deadline) }
  return {
    hash: actionHash({ ...action, signer: account.address }),
    author,
    nonce: String(action.nonce),
    kind,
    subject,
    content: new TextDecoder().decode(bytes),
    deadline,
    signature: await signMessage(account.signer, domain, 'Action', message),
  }
}

/** `POST /actions` of a creator node. */
export async function relay(
  creator: string,
  { hash: _, ...action }: SignedAction & { hash: string },
  as: Pick<Artist, 'token'>,
): Promise<Response> {
  return fetch(`${creator}/actions`, {
    method: 'POST',
    headers: { authorization: await as.token(), 'content-type': 'application/json' },
    body: JSON.stringify(action),
    signal: AbortSignal.timeout(15_000),
  })
}

/** Takes an action to the chain without any of our services, as anybody may.
 * @throws with the Catalog's reason when it reverts */
export async function sendToChain(
  network: { urls: { chain: string }; networkFile: string },
  action: SignedAction,
): Promise<void> {
  const { contracts, chainId } = await readNetworkFile(network.networkFile)
  const provider = new JsonRpcProvider(network.urls.chain, chainId, { staticNetwork: true, cacheTimeout: -1 })
  try {
    // Accounts of the local chain sign for whoever asks.
    const stranger = await provider.getSigner(3)
    const catalog = new Contract(contracts.catalog, catalogAbi, stranger)
    const sent = await catalog
      .getFunction('act')
      .send(
        action.author,
        BigInt(action.nonce),
        action.kind,
        subjectToBytes32(action.subject),
        toUtf8Bytes(action.content),
        action.deadline,
        action.signature,
      )
    await mined(sent)
  } finally {
    provider.destroy()
  }
}

/** What discovery makes of an action, once it has seen it. */
export async function verdictOf(discovery: string, hash: string): Promise<ActionStatus> {
  return eventually(
    async (signal) => {
      const response = await fetch(`${discovery}/v1/actions/${hash}`, { signal })
      return response.ok ? actionStatusSchema.parse(await response.json()) : undefined
    },
    { describe: `the verdict of discovery on ${hash}`, deadlineMs: 15_000 },
  ) as Promise<ActionStatus>
}
