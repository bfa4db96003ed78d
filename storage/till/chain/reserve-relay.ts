import {
  MalformedAnswer,
  type Rpc,
  RpcError,
  RpcUnavailable,
  refusal,
  type Sender,
} from '@hexachord/platform/chain'
import { Problem } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import { unitsBeforeMined } from '@hexachord/protocol/payments'
import { type Domain, digestOf, type Recover, SignatureError, signerOf } from '@hexachord/protocol/signing'
import type { PaymentsView } from '../payments-view.ts'
import { escrowInterface } from './payment-logs.ts'
import type { TillTables } from './till-tables.ts'

/** A reserve as somebody signed it. */
export type SignedReserve = {
  readonly payer: Address
  readonly total: bigint
  /** Unix seconds. */
  readonly deadline: number
  readonly signature: string
}

/** For whom it is, and what a unit costs there. */
export type ReservedFor = { readonly key: Address; readonly unitPrice: bigint; readonly nodeBps: number }

export type ReserveRelay = {
  /**
   * Takes a signed reserve to the chain, and has the till count on it meanwhile. One that is there, or on its way, is let
   * be.
   * @throws Problem 422 where the chain would refuse it or it is not worth its gas, 429, 503
   */
  take(reserve: SignedReserve, by: ReservedFor): Promise<void>
  /** Looks at what became of those that were taken. */
  sweep(): Promise<void>
}

/** Time for it to be mined; a deadline nearer than this would only cost gas. */
const leastLifeMs = 60_000
const [mostOpen, mostOpenOfPayer, mostOfPayerInADay] = [256, 2, 24]
/** Of raising a reserve by signature, rounded up; see the contracts' gas snapshots. */
const gasOfReserve = 80_000n

export function createReserveRelay(options: {
  view: Pick<PaymentsView, 'channel'>
  /** See `createTill`. */
  awaitReserve: (payer: Address, key: Address, total: bigint, untilMs: number) => Promise<void>
  tables: TillTables
  sender: Pick<Sender, 'address' | 'enqueue' | 'status' | 'retry'>
  rpc: Pick<Rpc, 'call'>
  /** The escrow's. */
  domain: Domain
  operator: Address
  recover?: Recover | undefined
  /** What gas costs, in wei. */
  gasPrice: () => Promise<bigint>
  /** What a base unit of the payment token is worth, in wei; zero to let gas cost nothing. */
  weiPerUnit: bigint
  /** What a transaction that is final has cost, in wei. */
  costOf: (hash: string) => Promise<bigint>
  now: () => number
}): ReserveRelay {
  const { view, tables, sender, domain, operator, now } = options

  function requireRoom(payer: Address): void {
    const { open, ofPayer, today } = tables.relayCounts(payer, now())
    if (open >= mostOpen) throw busy(503, 'too many reserves are on their way to the chain already')
    if (ofPayer >= mostOpenOfPayer || today >= mostOfPayerInADay) {
      throw busy(
        429,
        'too many reserves of this payer: reserve more at a time, or send it to the chain yourself',
      )
    }
  }

  async function requireWorth(raise: bigint, { unitPrice, nodeBps }: ReservedFor): Promise<void> {
    const units = BigInt(unitsBeforeMined)
    if (raise < unitPrice * units)
      throw refused(`raise the reserve by ${unitPrice * units} or more: ${units} units`)
    if (options.weiPerUnit === 0n) return
    const earned = (raise * BigInt(nodeBps) * options.weiPerUnit) / 10_000n
    const gas = gasOfReserve * (await options.gasPrice())
    if (earned < gas) {
      const least = (raise * gas) / (earned === 0n ? 1n : earned) + 1n
      throw refused(`what this node would earn of it is less than its gas: raise it by ${least} or more`)
    }
  }

  function dataOf({ payer, total, deadline, signature }: SignedReserve): string {
    const words = [payer, operator, total, deadline, signature]
    return escrowInterface.encodeFunctionData('reserveBySig', words)
  }

  function enqueue(id: string, reserve: SignedReserve, key: Address): void {
    const { payer, total } = reserve
    tables.transaction(() => {
      tables.addRelay({ id, payer, key, total }, now())
      // One that failed may come again, such as after a deposit.
      if (!sender.retry(id)) sender.enqueue({ id, to: domain.verifyingContract, data: dataOf(reserve) })
    })
  }

  return {
    async take(reserve, by) {
      const { payer, total, deadline, signature } = reserve
      const message = { payer, node: operator, total, deadline: BigInt(deadline) }
      if (signerOfReserve(domain, message, signature, options.recover) !== by.key) {
        throw refused('it is not signed by the key of this session')
      }
      const { reserved } = view.channel(payer, by.key)
      const id = `reserve ${digestOf(domain, 'Reserve', message)}`
      if (total <= reserved) return
      const count = () => options.awaitReserve(payer, by.key, total, deadline * 1000)
      // What came before may have ended between the two.
      if (tables.isRelayed(id)) return count()
      if (deadline * 1000 < now() + leastLifeMs) {
        throw refused('it expires too soon to be brought to the chain: sign one that is good for longer')
      }
      requireRoom(payer)
      await chainAnswers(async () => {
        await requireWorth(total - reserved, by)
        const call = { from: sender.address, to: domain.verifyingContract, data: dataOf(reserve) }
        const reason = await refusal(options.rpc, call, 'pending', [escrowInterface])
        if (reason !== null) throw refused(`the chain would refuse it: ${reason}`)
      })
      // Others may have come meanwhile.
      if (tables.isRelayed(id)) return count()
      requireRoom(payer)
      enqueue(id, reserve, by.key)
      await count()
    },
    async sweep() {
      for (const { id, payer, key, total, state } of tables.unfinishedRelays()) {
        const status = sender.status(id)
        if (status?.state === 'final' || status?.state === 'failed') {
          const cost = status.hash === null ? 0n : await options.costOf(status.hash)
          tables.transaction(() => {
            tables.setRelay(id, 'done')
            tables.addTotal('gasWei', cost)
          })
          // What was awaited until now is not any more.
          if (status.state === 'failed') await options.awaitReserve(payer, key, total, 0)
        } else if (status?.state === 'mined' && state === 'open') tables.setRelay(id, 'seen')
      }
    },
  }
}

function signerOfReserve(
  domain: Domain,
  message: { payer: Address; node: Address; total: bigint; deadline: bigint },
  signature: string,
  recover: Recover | undefined,
): Address {
  try {
    return signerOf(domain, 'Reserve', message, signature, recover)
  } catch (cause) {
    if (!(cause instanceof SignatureError)) throw cause
    throw refused(`its signature is no good: ${cause.message}`)
  }
}

/** @throws Problem 503 where the chain does not answer */
async function chainAnswers(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    const away =
      cause instanceof RpcError || cause instanceof RpcUnavailable || cause instanceof MalformedAnswer
    if (!away) throw cause
    throw new Problem({
      status: 503,
      slug: 'chain-away',
      title: 'Chain away',
      detail: 'the chain cannot be asked just now: try again soon, or reserve there yourself',
      headers: { 'Retry-After': '5' },
      cause,
    })
  }
}

function refused(detail: string): Problem {
  return new Problem({ status: 422, slug: 'reserve-refused', title: 'Reserve refused', detail })
}

function busy(status: 429 | 503, detail: string): Problem {
  return new Problem({ status, slug: 'too-many-reserves', detail, headers: { 'Retry-After': '10' } })
}
