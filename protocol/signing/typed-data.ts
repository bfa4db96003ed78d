import { utf8ToBytes } from '@noble/hashes/utils.js'
import { recoverAddress, TypedDataEncoder, type TypedDataField } from 'ethers'
import { type Engine, javaScriptEngine } from '../engine/index.ts'
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
  /** An account asks a discovery provider for a password that only one device of a listener's will use. `nonce` is
   * random: each message makes one password. `expiresAt` in ms. */
  AppPassword: { account: Address; audience: string; device: string; nonce: Hash; expiresAt: number }
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
  /** What a listener owes a node since the beginning of their channel, checked by StreamEscrow. Amounts in base units of
   * the payment token, below 2^96; `lines` as packed by `payments`. */
  Voucher: { payer: Address; node: Address; base: bigint; cumulative: bigint; lines: Uint8Array }
  /** What a listener sets aside for a node since the beginning of their channel. `deadline` in unix seconds. */
  Reserve: { payer: Address; node: Address; total: bigint; deadline: bigint }
  /** A listener lets a key reserve up to a cap. `expiry` in unix seconds. */
  Session: { payer: Address; key: Address; cap: bigint; expiry: number }
  /** An operator says on which conditions it serves what is paid for, by hot key; see `payments`. `expiresAt` in ms. */
  TillOffer: {
    operator: Address
    endpoint: string
    leastNodeBps: number
    previewUnits: number
    expiresAt: number
  }
  /** Somebody who can sign vouchers for a node wants to hear a track there. `expiresAt` in ms. */
  Opening: { payer: Address; node: Address; track: Hash; curator: Address; expiresAt: number }
  /** Terms of a track, checked by TrackRegistry. `deadline` in unix seconds. */
  Terms: {
    track: Hash
    version: number
    unitPrice: bigint
    nodeBps: number
    curatorBps: number
    payees: readonly Address[]
    payeeBps: readonly number[]
    deadline: bigint
  }
  /** Who may have the keys of a premium track, said by whoever controls it; `gate` in canonical JSON. `atMs` in ms since
   * 1970: the latest counts. */
  PremiumGate: { subject: Hash; gate: string; atMs: number }
}

export type MessageName = keyof Messages

export const messageTypes: { readonly [Name in MessageName]: readonly TypedDataField[] } = {
  Action: fields('address author,uint256 nonce,uint16 kind,bytes32 subject,bytes content,uint256 deadline'),
  Token: fields('address account,string audience,uint64 expiresAt'),
  NodeToken: fields('address account,string audience,string method,string path,uint64 expiresAt'),
  AppPassword: fields('address account,string audience,string device,bytes32 nonce,uint64 expiresAt'),
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
  Voucher: fields('address payer,address node,uint96 base,uint96 cumulative,bytes lines'),
  Reserve: fields('address payer,address node,uint96 total,uint256 deadline'),
  Session: fields('address payer,address key,uint96 cap,uint48 expiry'),
  TillOffer: fields(
    'address operator,string endpoint,uint16 leastNodeBps,uint16 previewUnits,uint64 expiresAt',
  ),
  Opening: fields('address payer,address node,bytes32 track,address curator,uint64 expiresAt'),
  Terms: fields(
    'bytes32 track,uint24 version,uint96 unitPrice,uint16 nodeBps,uint16 curatorBps,address[] payees,uint16[] payeeBps,uint256 deadline',
  ),
  PremiumGate: fields('bytes32 subject,string gate,uint64 atMs'),
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
  engine: Engine = javaScriptEngine,
): Hash {
  return `0x${keccakOfHex(`1901${separatorOf(domain).slice(2)}${structHash(name, message, engine)}`, engine)}`
}

/** hashStruct of EIP-712, as hex digits. */
function structHash<Name extends MessageName>(name: Name, message: Messages[Name], engine: Engine): string {
  const words = messageTypes[name].map(({ type, name: field }) =>
    wordOf(type, message[field as keyof Messages[Name]], engine),
  )
  // The library is slow, and says what is wrong with a value.
  if (words.includes(undefined)) return encoderOf(name).hash(message).slice(2)
  return keccakOfHex(typeHashOf(name) + words.join(''), engine)
}

/** A value of 32 bytes by encodeData of EIP-712, as hex digits; undefined for lists, and for what has another form than
 * we write. */
function wordOf(type: string, value: unknown, engine: Engine): string | undefined {
  if (value instanceof Uint8Array && type === 'bytes') return engine.keccak256(value)
  if (typeof value === 'string') {
    if (type === 'address' && /^0x[0-9a-f]{40}$/.test(value)) return value.slice(2).padStart(64, '0')
    if (type === 'bytes32' && /^0x[0-9a-f]{64}$/.test(value)) return value.slice(2)
    return type === 'string' && value.isWellFormed() ? engine.keccak256(utf8ToBytes(value)) : undefined
  }
  const isNumber = typeof value === 'bigint' || Number.isSafeInteger(value)
  if (!isNumber || !type.startsWith('uint')) return undefined
  const number = BigInt(value as bigint | number)
  return number >= 0n && number >> BigInt(type.slice(4)) === 0n
    ? number.toString(16).padStart(64, '0')
    : undefined
}

function keccakOfHex(digits: string, engine: Engine): string {
  return engine.keccak256(engine.bytesOf(digits))
}

// What depends on the type or on the domain alone is most of the work, and always the same.
const encoders = new Map<MessageName, TypedDataEncoder>()
const typeHashes = new Map<MessageName, string>()
const separators = new WeakMap<Domain, string>()

function encoderOf(name: MessageName): TypedDataEncoder {
  const encoder = encoders.get(name) ?? TypedDataEncoder.from({ [name]: [...messageTypes[name]] })
  encoders.set(name, encoder)
  return encoder
}

function typeHashOf(name: MessageName): string {
  const known = typeHashes.get(name)
  if (known !== undefined) return known
  const typeHash = javaScriptEngine.keccak256(utf8ToBytes(encoderOf(name).encodeType(name)))
  typeHashes.set(name, typeHash)
  return typeHash
}

function separatorOf(domain: Domain): string {
  const separator = separators.get(domain) ?? TypedDataEncoder.hashDomain(domain)
  separators.set(domain, separator)
  return separator
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

/** A signature of the one form that contracts accept: low s, and a recovery bit. */
export type StrictSignature = { readonly r: Hash; readonly s: Hash; readonly yParity: 0 | 1 }

/** Finds the signer of a digest. Servers pass in a faster engine than the one in JavaScript; it need not look at s or v,
 * which `strictSignature` has done. Throws when r or s belong to no point. */
export type Recover = (digest: Hash, signature: StrictSignature) => Address

const halfOfOrder = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

/** Parses a signature, and accepts just what OpenZeppelin's ECDSA does: 65 bytes, low s, v 27 or 28.
 * @throws SignatureError */
export function strictSignature(signature: string): StrictSignature {
  if (!/^0x[0-9a-fA-F]{128}(1b|1c|1B|1C)$/.test(signature)) {
    throw new SignatureError('a signature is 0x and 65 bytes in hex, ending in 1b or 1c')
  }
  const hex = signature.toLowerCase()
  const s: Hash = `0x${hex.slice(66, 130)}`
  // Engines accept the upper half, and so do some libraries; the contracts do not.
  if (BigInt(s) > halfOfOrder) throw new SignatureError('s is in the upper half of its range')
  return { r: `0x${hex.slice(2, 66)}`, s, yParity: hex.endsWith('1b') ? 0 : 1 }
}

/** Address that signed a message.
 * @param recover finds the signer of a digest, engine takes hashes: both are for who has faster ones
 * @throws SignatureError when no contract of ours would accept the signature, whoever it is of */
export function signerOf<Name extends MessageName>(
  domain: Domain,
  name: Name,
  message: Messages[Name],
  signature: string,
  recover: Recover = recoverInJavaScript,
  engine: Engine = javaScriptEngine,
): Address {
  const parsed = strictSignature(signature)
  const digest = digestOf(domain, name, message, engine)
  try {
    return recover(digest, parsed)
  } catch (cause) {
    throw new SignatureError('the signature is no point on the curve', { cause })
  }
}

function recoverInJavaScript(digest: Hash, signature: StrictSignature): Address {
  return recoverAddress(digest, { ...signature }).toLowerCase() as Address
}

function fields(list: string): TypedDataField[] {
  return list.split(',').map((field) => {
    const [type = '', name = ''] = field.split(' ')
    return { type, name }
  })
}
