import { bigintField, objectField } from './chain-values.ts'
import { type Rpc, RpcError } from './rpc.ts'

/** EIP-1559 fees per gas, in wei. */
export type Fees = { maxFee: bigint; priorityFee: bigint }

/** For nodes that cannot suggest one. */
const fallbackPriorityFeeWei = 1_000_000_000n

/** What the node thinks is needed now; the maximum bears the base fee doubling, which takes at least six full blocks. */
export async function suggestedFees(rpc: Rpc): Promise<Fees> {
  const [block, priorityFee] = await Promise.all([
    rpc.call('eth_getBlockByNumber', ['latest', false]),
    suggestedPriorityFee(rpc),
  ])
  const baseFee = bigintField(objectField(block, 'block').baseFeePerGas ?? '0x0', 'block.baseFeePerGas')
  return { maxFee: baseFee * 2n + priorityFee, priorityFee }
}

async function suggestedPriorityFee(rpc: Rpc): Promise<bigint> {
  try {
    return bigintField(await rpc.call('eth_maxPriorityFeePerGas', []), 'priority fee')
  } catch (error) {
    if (error instanceof RpcError) return fallbackPriorityFeeWei
    throw error
  }
}

/**
 * Fees with which a transaction replaces an earlier one of its nonce. Nodes ask for a rise of 10 % in both fees;
 * an eighth is safely more after rounding.
 */
export function raisedFees(previous: Fees, suggested: Fees, maxFeeLimit: bigint): Fees {
  const maxFee = least(greatest(risen(previous.maxFee), suggested.maxFee), maxFeeLimit)
  const priorityFee = greatest(risen(previous.priorityFee), suggested.priorityFee)
  return { maxFee, priorityFee: least(priorityFee, maxFee) }
}

/** Whether nodes accept `next` in place of `previous`. */
export function replaces(next: Fees, previous: Fees): boolean {
  return next.maxFee * 10n >= previous.maxFee * 11n && next.priorityFee * 10n >= previous.priorityFee * 11n
}

function risen(fee: bigint): bigint {
  return (fee * 9n + 7n) / 8n
}

function greatest(left: bigint, right: bigint): bigint {
  return left > right ? left : right
}

/** The smaller one. */
export function least(left: bigint, right: bigint): bigint {
  return left < right ? left : right
}
