import type { Address } from '@hexachord/protocol/names'
import { AbiCoder, hexlify, type Interface, keccak256, Signature, type TypedDataField } from 'ethers'
import type { Account } from '../keys/index.ts'
import type { Payer } from '../writing/index.ts'
import { type EscrowReader, escrowInterface, TransactionFailed, tokenInterface } from './escrow-reader.ts'
import type { SpendingAuthorization } from './spending-key.ts'

/** For how long a permit or an authorization may be used. */
const signedForSeconds = 3_600

/** How a call gets onto the chain: who sends and pays for it, and who sees when it is there. */
export type Writing = {
  readonly reader: EscrowReader
  readonly payer: Payer
  readonly signal?: AbortSignal | undefined
}

/** Moves tokens of an account into its deposit, by one transaction where the token takes permits (ERC-2612), else by an
 * approval and a deposit. All functions here wait until the chain has it.
 * @param amount in base units
 * @throws TransactionFailed, ApiError, and what the payer throws */
export async function deposit(
  writing: Writing,
  account: Account,
  amount: bigint,
  nowMs: number,
): Promise<void> {
  const { streamEscrow, token } = writing.reader.contracts.payments
  const deadline = Math.floor(nowMs / 1000) + signedForSeconds
  const permit = await signPermit(writing.reader, account, amount, deadline)
  if (permit) {
    const { v, r, s } = permit
    return send(writing, streamEscrow, escrowInterface, 'depositWithPermit', [
      ...[account.address, amount, deadline, v, r, s],
    ])
  }
  const allowed = await writing.reader.view(token, tokenInterface, 'allowance', [
    account.address,
    streamEscrow,
  ])
  if ((allowed?.[0] ?? 0n) < amount) {
    await send(writing, token, tokenInterface, 'approve', [streamEscrow, amount])
  }
  await send(writing, streamEscrow, escrowInterface, 'depositFor', [account.address, amount])
}

/** Money that its owner lets anyone bring into an account, without a transaction of their own (ERC-3009). */
export type DepositAuthorization = {
  readonly from: Address
  readonly account: Address
  readonly amount: bigint
  readonly validBefore: number
  readonly salt: string
  readonly signature: string
}

/** Signs a deposit that somebody else sends. Throws TransactionFailed when the token does not say how it signs. */
export async function signDeposit(
  reader: EscrowReader,
  from: Account,
  { account, amount, nowMs }: { account: Address; amount: bigint; nowMs: number },
): Promise<DepositAuthorization> {
  const { streamEscrow, token } = reader.contracts.payments
  const domain = await tokenDomain(reader, token)
  if (domain === undefined) throw new TransactionFailed('the token takes no authorizations (ERC-3009)')
  const salt = hexlify(crypto.getRandomValues(new Uint8Array(32)))
  const validBefore = Math.floor(nowMs / 1000) + signedForSeconds
  // The nonce says whose the money will be, so that whoever sends it cannot take it.
  const nonce = keccak256(AbiCoder.defaultAbiCoder().encode(['address', 'bytes32'], [account, salt]))
  const message = { from: from.address, to: streamEscrow, value: amount, validAfter: 0, validBefore, nonce }
  const signature = await from.signer.signTypedData(domain, authorizationTypes, message)
  return { from: from.address, account, amount, validBefore, salt, signature }
}

/** Sends a deposit that somebody has signed. */
export async function depositAuthorized(writing: Writing, signed: DepositAuthorization): Promise<void> {
  const { from, account, amount, validBefore, salt } = signed
  const { v, r, s } = Signature.from(signed.signature)
  await send(
    writing,
    writing.reader.contracts.payments.streamEscrow,
    escrowInterface,
    'depositWithAuthorization',
    [...[from, account, amount, 0, validBefore, salt, v, r, s]],
  )
}

/** Brings the authorization of a session key to the chain; anyone may. */
export async function sendAuthorization(writing: Writing, signed: SpendingAuthorization): Promise<void> {
  const { payer, key, cap, expiry, signature } = signed
  await write(writing, 'authorizeSessionBySig', [payer, key, cap, expiry, signature])
}

/** Takes a session key back, at once and for ever: it reserves nothing more. What it has reserved is had back by
 * {@link initiateRelease}; until that is through, whoever has the key can still spend it at those nodes. */
export async function revokeSession(writing: Writing, key: Address): Promise<void> {
  await write(writing, 'revokeSession', [key])
}

/** Announces that the payer wants an amount of a node's reserve back; the node may redeem what it was promised until
 * {@link finalizeRelease}. */
export async function initiateRelease(
  writing: Writing,
  { key, node, amount }: { key: Address; node: Address; amount: bigint },
): Promise<void> {
  await write(writing, 'initiateRelease', [key, node, amount])
}

/** Takes back what was announced, when its time has come. */
export async function finalizeRelease(
  writing: Writing,
  { key, node }: { key: Address; node: Address },
): Promise<void> {
  await write(writing, 'finalizeRelease', [key, node])
}

/** Sends what is deposited and not reserved to an address. @param amount in base units */
export async function withdraw(writing: Writing, to: Address, amount: bigint): Promise<void> {
  await write(writing, 'withdraw', [to, amount])
}

async function write(writing: Writing, name: string, args: unknown[]): Promise<void> {
  await send(writing, writing.reader.contracts.payments.streamEscrow, escrowInterface, name, args)
}

/** Sends a transaction and waits until a block has it. @throws TransactionFailed, and what the payer throws */
export async function send(
  { reader, payer, signal }: Writing,
  to: string,
  contract: Interface,
  name: string,
  args: readonly unknown[],
): Promise<void> {
  const data = contract.encodeFunctionData(name, [...args])
  const { hash } = await payer.sendTransaction({ to, data, chainId: reader.contracts.chainId })
  await reader.mined(hash, signal)
}

const permitTypes = {
  Permit: fields('address owner,address spender,uint256 value,uint256 nonce,uint256 deadline'),
}
const authorizationTypes = {
  ReceiveWithAuthorization: fields(
    'address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce',
  ),
}

/** Undefined where the token does not say (ERC-5267, ERC-2612) how it takes permits. */
async function signPermit(reader: EscrowReader, owner: Account, value: bigint, deadline: number) {
  const { streamEscrow, token } = reader.contracts.payments
  const [domain, nonces] = await Promise.all([
    tokenDomain(reader, token),
    reader.view(token, tokenInterface, 'nonces', [owner.address]),
  ])
  if (domain === undefined || nonces === undefined) return undefined
  const message = { owner: owner.address, spender: streamEscrow, value, nonce: nonces[0], deadline }
  return Signature.from(await owner.signer.signTypedData(domain, permitTypes, message))
}

async function tokenDomain(reader: EscrowReader, token: string) {
  const found = await reader.view(token, tokenInterface, 'eip712Domain', [])
  if (found === undefined) return undefined
  const { name, version, chainId, verifyingContract } = found
  return { name, version, chainId: Number(chainId), verifyingContract }
}

function fields(list: string): TypedDataField[] {
  return list.split(',').map((field) => {
    const [type = '', name = ''] = field.split(' ')
    return { type, name }
  })
}
