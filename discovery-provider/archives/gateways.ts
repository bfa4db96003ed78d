import { operatorRegistryAbi } from '@hexachord/contracts/generated'
import type { ChainReader } from '@hexachord/platform/chain'
import { Interface } from 'ethers'

/** Operators that are asked; any of them that is honest is enough. */
const askedOperators = 16
/** Operators that are looked through for these. */
const readOperators = 256

const registry = new Interface(operatorRegistryAbi)

/** What of the registry is read: an answer whose endpoint is no text must not be an end of everything. */
type Registered = { readonly endpoint: string; readonly exiting: boolean }

/**
 * Endpoints of operators by the registry's present state, which a node of the chain serves however much of the past it
 * has dropped.
 * @param registryAddress of OperatorRegistry
 * @throws RpcError, RpcUnavailable, MalformedAnswer
 */
export async function gatewaysOfOperators(
  reader: Pick<ChainReader, 'call'>,
  registryAddress: string,
): Promise<string[]> {
  const read = async (method: string, args: unknown[]) => {
    const data = registry.encodeFunctionData(method, args)
    return registry.decodeFunctionResult(method, await reader.call({ to: registryAddress, data }))
  }
  const [count] = await read('operatorCount', [])
  const origins = new Set<string>()
  for (let index = 0n; index < BigInt(count) && index < readOperators; index++) {
    const [address] = await read('operatorAt', [index])
    const [operator] = await read('operator', [address])
    const origin = originOf(operator)
    if (origin !== undefined) origins.add(origin)
    if (origins.size >= askedOperators) break
  }
  return [...origins]
}

function originOf(operator: Registered): string | undefined {
  try {
    if (operator.exiting) return undefined
    const url = new URL(operator.endpoint)
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.origin : undefined
  } catch {
    // No URL, or not even text: such an operator has no gateway.
    return undefined
  }
}
