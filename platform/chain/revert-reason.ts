import { AbiCoder, type Interface, isError } from 'ethers'
import { RpcError } from './rpc.ts'

/** Whether a node's error means that the contract refused the call, and will refuse it again. */
export function isRevert(error: unknown): error is RpcError {
  if (!(error instanceof RpcError)) return false
  // EIP-1474 gives 3 to reverts; not every node follows.
  return error.code === 3 || /revert|invalid opcode/i.test(error.message)
}

/** Function selectors of `Error(string)` and `Panic(uint256)`, which every Solidity contract may raise. */
const errorSelector = '0x08c379a0'
const panicSelector = '0x4e487b71'

/** The reason in words: a `require` message, a panic code, or a custom error of `interfaces` with its values. */
export function revertReason(error: RpcError, interfaces: readonly Interface[]): string {
  const data = revertData(error.data)
  if (data === null) return error.message
  return decodeRevert(data, interfaces)
}

/** The same, from the return data alone. Whatever a contract returns, this answers with something to show. */
export function decodeRevert(data: string, interfaces: readonly Interface[]): string {
  if (data === '0x') return 'reverted without a reason'
  try {
    return decodeKnown(data, interfaces) ?? unknownError(data)
  } catch (error) {
    // The data begins like a known error and does not go on like one.
    if (isError(error, 'BUFFER_OVERRUN') || isError(error, 'INVALID_ARGUMENT')) return unknownError(data)
    // ethers wraps what is wrong with text that is not UTF-8.
    if (error instanceof Error && error.message.startsWith('deferred error')) return unknownError(data)
    throw error
  }
}

function decodeKnown(data: string, interfaces: readonly Interface[]): string | null {
  if (data.startsWith(errorSelector)) return decoded('string', data) || 'reverted without a reason'
  if (data.startsWith(panicSelector)) return `panic 0x${BigInt(decoded('uint256', data)).toString(16)}`
  for (const known of interfaces) {
    const found = known.parseError(data)
    if (found !== null) return `${found.name}(${found.args.map(String).join(', ')})`
  }
  return null
}

function unknownError(data: string): string {
  return `unknown error ${data.slice(0, 10)}`
}

function decoded(type: string, data: string): string {
  return String(AbiCoder.defaultAbiCoder().decode([type], `0x${data.slice(10)}`)[0])
}

/** Nodes put the return data into `data`, some into `data.data` or behind the word `Reverted`. */
function revertData(data: unknown): string | null {
  if (typeof data === 'string') return /0x[0-9a-fA-F]*/.exec(data)?.[0]?.toLowerCase() ?? null
  if (typeof data === 'object' && data !== null && 'data' in data) return revertData(data.data)
  return null
}
