import { checked } from '@hexachord/protocol/checked'
import type { Address, Subject } from '@hexachord/protocol/names'
import { subjectToBytes32 } from '@hexachord/protocol/names'
import type { Terms } from '@hexachord/protocol/payments'
import { Interface, type Result } from 'ethers'
import * as z from 'zod'
import { type Http, noAnswer, type PaymentContracts, pause, readJson } from '../connect/index.ts'

/** The little of the contracts that a wallet asks and calls; held against their ABIs by a test. */
export const escrowInterface = new Interface([
  'function balanceOf(address account) view returns (uint256)',
  'function channel(address payer, address key, address node) view returns (tuple(uint96 reserved, uint96 settled, uint96 released, uint96 releasing, uint48 readyAt))',
  'function releaseSeconds() view returns (uint48)',
  'function depositFor(address account, uint256 amount)',
  'function depositWithPermit(address account, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)',
  'function depositWithAuthorization(address from, address account, uint256 amount, uint256 validAfter, uint256 validBefore, bytes32 salt, uint8 v, bytes32 r, bytes32 s)',
  'function withdraw(address to, uint256 amount)',
  'function authorizeSessionBySig(address payer, address key, uint96 cap, uint48 expiry, bytes signature)',
  'function revokeSession(address key)',
  'function session(address payer, address key) view returns (tuple(uint96 cap, uint96 reserved, uint48 expiry, bool revoked))',
  'function initiateRelease(address key, address node, uint96 amount)',
  'function finalizeRelease(address key, address node)',
])
export const tokenInterface = new Interface([
  'function decimals() view returns (uint8)',
  'function symbol() view returns (string)',
  'function name() view returns (string)',
  'function balanceOf(address account) view returns (uint256)',
  'function allowance(address owner, address spender) view returns (uint256)',
  'function nonces(address owner) view returns (uint256)',
  'function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)',
  'function approve(address spender, uint256 amount) returns (bool)',
])
const terms =
  'tuple(uint96 unitPrice, uint16 nodeBps, uint16 curatorBps, address[] payees, uint16[] payeeBps)'
export const tracksInterface = new Interface([
  `function termsOf(bytes32 track) view returns (uint24 version, ${terms} terms)`,
  `function termsAt(bytes32 track, uint24 version) view returns (${terms} terms)`,
  'function changeOf(bytes32 track) view returns (uint24 version, uint48 effectiveAt)',
  'function latestVersion(bytes32 track) view returns (uint24)',
  'function ownerOf(bytes32 track) view returns (address)',
  `function setTerms(bytes32 track, ${terms} terms)`,
  `function setTermsBySig(bytes32 track, ${terms} terms, uint256 deadline, bytes signature)`,
  'function cancelChange(bytes32 track)',
  'function offeredTo(bytes32 track) view returns (address)',
  'function offerTrack(bytes32 track, address to)',
  'function acceptTrack(bytes32 track)',
])

/** What a node's channel holds on the chain, in base units; `readyAt` in unix seconds, zero when nothing is released. */
export type ChainChannel = {
  readonly reserved: bigint
  readonly settled: bigint
  readonly released: bigint
  readonly releasing: bigint
  readonly readyAt: number
}

/** What a session key may do, in base units and unix seconds; `expiry` is zero for one that was never authorized. */
export type ChainSession = {
  readonly cap: bigint
  readonly reserved: bigint
  readonly expiry: number
  readonly revoked: boolean
}

/** The token that is paid with. */
export type Token = { readonly address: string; readonly symbol: string; readonly decimals: number }

export type TermsOnChain = { readonly version: number; readonly terms: Terms }

/** Reads what a wallet needs, through one node of the chain. All throw ApiError when it does not answer. */
export type EscrowReader = {
  readonly contracts: PaymentContracts
  /** Deposited and not reserved. */
  balanceOf(account: Address): Promise<bigint>
  channel(payer: Address, key: Address, node: Address): Promise<ChainChannel>
  session(payer: Address, key: Address): Promise<ChainSession>
  /** Of the newest block, in unix seconds: the clock by which releases get ready. */
  nowSeconds(): Promise<number>
  /** How long a release waits. */
  releaseSeconds(): Promise<number>
  token(): Promise<Token>
  /** What an account holds of the token, outside of the escrow. */
  tokenBalanceOf(account: Address): Promise<bigint>
  /** Undefined for a track that was never registered. */
  termsOf(track: Subject, signal?: AbortSignal): Promise<TermsOnChain | undefined>
  /** A change of terms that is waiting; `effectiveAt` in unix seconds. */
  changeOf(track: Subject): Promise<(TermsOnChain & { readonly effectiveAt: number }) | undefined>
  /** Number of the terms set last; 0 for none. */
  latestVersion(track: Subject): Promise<number>
  /** Any view of a contract. Undefined where it reverts. */
  view(to: string, contract: Interface, name: string, args: readonly unknown[]): Promise<Result | undefined>
  /** Waits until a transaction is in a block. @throws TransactionFailed when it reverted, or is not there in time */
  mined(hash: string, signal?: AbortSignal): Promise<void>
}

/** A transaction that was sent and did not do what it should. */
export class TransactionFailed extends Error {
  override readonly name = 'TransactionFailed'
}

const answerWithinMs = 15_000
const minedWithinMs = 180_000
const receiptPollMs = 500
/** JSON-RPC errors of a call that reverted: geth and most others answer 3, some -32000. */
const revertedCodes = [3, -32_000]

const rpcAnswerSchema = z.object({
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string(), data: z.unknown().optional() }).optional(),
})

/** @param rpcUrl JSON-RPC of a node of the chain */
export function readEscrow(http: Http, rpcUrl: string, contracts: PaymentContracts): EscrowReader {
  const { streamEscrow, trackRegistry, token: tokenAddress } = contracts.payments
  let token: Promise<Token> | undefined

  async function call(method: string, params: readonly unknown[], signal?: AbortSignal) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const headers = { 'content-type': 'application/json' }
    const options = {
      method: 'POST',
      body,
      headers,
      timeoutMs: answerWithinMs,
      ...(signal ? { signal } : {}),
    }
    return readJson(http, rpcUrl, rpcAnswerSchema, options)
  }

  async function view(
    to: string,
    contract: Interface,
    name: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ) {
    const data = contract.encodeFunctionData(name, [...args])
    const { result, error } = await call('eth_call', [{ to, data }, 'latest'], signal)
    if (error && revertedCodes.includes(error.code)) return undefined
    if (error || typeof result !== 'string') throw noAnswer(rpcUrl, error?.message ?? 'it answers no result')
    // An address without code answers nothing.
    return result === '0x' ? undefined : contract.decodeFunctionResult(name, result)
  }

  async function must(to: string, contract: Interface, name: string, ...args: unknown[]): Promise<Result> {
    const result = await view(to, contract, name, args)
    if (result === undefined) throw noAnswer(rpcUrl, `there is no ${name} at ${to}: is it of this network?`)
    return result
  }

  async function readToken(): Promise<Token> {
    const [decimals, symbol] = await Promise.all([
      must(tokenAddress, tokenInterface, 'decimals'),
      must(tokenAddress, tokenInterface, 'symbol'),
    ])
    return { address: tokenAddress, decimals: Number(decimals[0]), symbol: String(symbol[0]) }
  }

  return {
    contracts,
    balanceOf: async (account) => (await must(streamEscrow, escrowInterface, 'balanceOf', account))[0],
    async channel(payer, key, node) {
      const [found] = await must(streamEscrow, escrowInterface, 'channel', payer, key, node)
      const { reserved, settled, released, releasing, readyAt } = found
      return { reserved, settled, released, releasing, readyAt: Number(readyAt) }
    },
    async session(payer, key) {
      const [found] = await must(streamEscrow, escrowInterface, 'session', payer, key)
      const { cap, reserved, expiry, revoked } = found
      return { cap, reserved, expiry: Number(expiry), revoked }
    },
    async nowSeconds() {
      const { result } = await call('eth_getBlockByNumber', ['latest', false])
      const block = checked(blockSchema, result).data
      if (block === undefined) throw noAnswer(rpcUrl, 'it has no newest block')
      return Number(block.timestamp)
    },
    releaseSeconds: async () => Number((await must(streamEscrow, escrowInterface, 'releaseSeconds'))[0]),
    token() {
      token ??= readToken()
      token.catch(() => {
        token = undefined
      })
      return token
    },
    tokenBalanceOf: async (account) => (await must(tokenAddress, tokenInterface, 'balanceOf', account))[0],
    async termsOf(track, signal) {
      const found = await view(trackRegistry, tracksInterface, 'termsOf', [subjectToBytes32(track)], signal)
      return found && { version: Number(found[0]), terms: termsFrom(found[1]) }
    },
    async changeOf(track) {
      const id = subjectToBytes32(track)
      const change = await view(trackRegistry, tracksInterface, 'changeOf', [id])
      const version = Number(change?.[0] ?? 0)
      if (version === 0) return undefined
      const [found] = await must(trackRegistry, tracksInterface, 'termsAt', id, version)
      return { version, effectiveAt: Number(change?.[1]), terms: termsFrom(found) }
    },
    async latestVersion(track) {
      return Number((await must(trackRegistry, tracksInterface, 'latestVersion', subjectToBytes32(track)))[0])
    },
    view,
    async mined(hash, signal) {
      const deadline = performance.now() + minedWithinMs
      for (;;) {
        const { result } = await call('eth_getTransactionReceipt', [hash], signal)
        const status = checked(receiptSchema, result).data?.status
        if (status === '0x1') return
        if (status !== undefined) throw new TransactionFailed(`the transaction ${hash} was reverted`)
        if (performance.now() > deadline) {
          throw new TransactionFailed(
            `the transaction ${hash} is in no block after ${minedWithinMs / 1000} s`,
          )
        }
        await pause(receiptPollMs, signal)
      }
    },
  }
}

const blockSchema = z.object({ timestamp: z.string() })
const receiptSchema = z.object({ status: z.string() })

function termsFrom(found: Result): Terms {
  return {
    unitPrice: found.unitPrice,
    nodeBps: Number(found.nodeBps),
    curatorBps: Number(found.curatorBps),
    payees: Array.from(found.payees, (payee) => String(payee).toLowerCase() as Address),
    payeeBps: Array.from(found.payeeBps, Number),
  }
}
