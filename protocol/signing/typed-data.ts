import { recoverAddress, Signature, TypedDataEncoder, type TypedDataField } from 'ethers'
import type { Address, Hash } from '../names/index.ts'

/** EIP-712 domain of one network: the Catalog's address tells networks on the same chain apart. */
export type Domain = {
  readonly name: 'Hexachord'
  readonly version: '1'
  readonly chainId: number
  readonly verifyingContract: Address
}

/** Everything that anybody signs on this network, with the values as they go into EIP-712. */
export type Messages = {
  /** An entry in the catalogue, checked by the Catalog contract. `deadline` in unix seconds. */
  Action: {
    author: Address
    nonce: bigint
    kind: number
    subject: Hash
    content: Uint8Array
    deadline: bigint
  }
  /** Who writes over HTTP. `expiresAt` in ms. */
  Token: { account: Address; audience: string; expiresAt: number }
  /** A request between nodes, by hot key. `expiresAt` in ms. */
  NodeToken: { account: Address; audience: string; method: string; path: string; expiresAt: number }
  /** The author lets a creator node ask others to hold a new track. `expiresAt` in ms. */
  Grant: { subject: Hash; audience: string; byteLimit: bigint; expiresAt: number }
  /** A creator node asks an operator to hold a track. `expiresAt` in ms. */
  Offer: {
    operator: Address
    to: Address
    subject: Hash
    source: string
    byteLimit: bigint
    expiresAt: number
  }
  /** An operator says that it holds a track. `validUntil` in unix seconds, as contracts count. */
  Receipt: {
    operator: Address
    subject: Hash
    manifest: Hash
    storageRoot: Hash
    leafCount: bigint
    byteLength: bigint
    blockNumber: bigint
    validUntil: bigint
  }
  /** An operator has just read what it holds, asked by another; `answer` depends on the bytes and on the nonce. */
  Proof: {
    operator: Address
    asker: Address
    subject: Hash
    manifest: Hash
    nonce: Hash
    answer: Hash
  }
}

export type MessageName = keyof Messages

export const messageTypes: { readonly [Name in MessageName]: readonly TypedDataField[] } = {
  Action: fields('address author,uint256 nonce,uint16 kind,bytes32 subject,bytes content,uint256 deadline'),
  Token: fields('address account,string audience,uint64 expiresAt'),
  NodeToken: fields('address account,string audience,string method,string path,uint64 expiresAt'),
  Grant: fields('bytes32 subject,string audience,uint64 byteLimit,uint64 expiresAt'),
  Offer: fields(
    'address operator,address to,bytes32 subject,string source,uint64 byteLimit,uint64 expiresAt',
  ),
  Receipt: fields(
    'address operator,bytes32 subject,bytes32 manifest,bytes32 storageRoot,uint64 leafCount,uint64 byteLength,uint64 blockNumber,uint64 validUntil',
  ),
  Proof: fields(
    'address operator,address asker,bytes32 subject,bytes32 manifest,bytes32 nonce,bytes32 answer',
  ),
}

/** A signature that no contract of ours would accept. */
export class SignatureError extends Error {
  override readonly name = 'SignatureError'
}

/** What can sign for an address: an ethers Wallet, or a wallet in a browser behind ethers' JsonRpcSigner. */
export type Signer = {
  getAddress(): Promise<string>
  signTypedData(
    domain: Domain,
    types: Record<string, TypedDataField[]>,
    value: Record<string, unknown>,
  ): Promise<string>
}

export function domainOf(network: { chainId: number; contracts: { catalog: string } }): Domain {
  return {
    name: 'Hexachord',
    version: '1',
    chainId: network.chainId,
    verifyingContract: network.contracts.catalog.toLowerCase() as Address,
  }
}

/** EIP-712 digest: the 32 bytes that are signed. */
export function digestOf<Name extends MessageName>(
  domain: Domain,
  name: Name,
  message: Messages[Name],
): Hash {
  return TypedDataEncoder.hash(domain, { [name]: [...messageTypes[name]] }, message) as Hash
}

/** Signs a message; 65 bytes in hex. */
export async function signMessage<Name extends MessageName>(
  signer: Signer,
  domain: Domain,
  name: Name,
  message: Messages[Name],
): Promise<string> {
  return signer.signTypedData(domain, { [name]: [...messageTypes[name]] }, message)
}

/** Address that signed a message. Accepts just what OpenZeppelin's ECDSA does: 65 bytes, low s, v 27 or 28.
 * @throws SignatureError */
export function signerOf<Name extends MessageName>(
  domain: Domain,
  name: Name,
  message: Messages[Name],
  signature: string,
): Address {
  if (!/^0x[0-9a-fA-F]{128}(1b|1c|1B|1C)$/.test(signature)) {
    throw new SignatureError('a signature is 0x and 65 bytes in hex, ending in 1b or 1c')
  }
  try {
    const parsed = Signature.from(signature)
    // ethers refuses only what is far above half of the curve's order; the contracts refuse all above it.
    if (!parsed.isValid()) throw new SignatureError('s is in the upper half of its range')
    return recoverAddress(digestOf(domain, name, message), parsed).toLowerCase() as Address
  } catch (cause) {
    throw new SignatureError('the signature is malformed (s too large, or no point on the curve)', { cause })
  }
}

function fields(list: string): TypedDataField[] {
  return list.split(',').map((field) => {
    const [type = '', name = ''] = field.split(' ')
    return { type, name }
  })
}
