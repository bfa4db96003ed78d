import { type ChainReader, RpcError } from '@hexachord/platform/chain'
import { Interface } from 'ethers'

/** Tokens tell their EIP-712 domain by EIP-5267, or as the dollars of real chains do. */
const token = new Interface([
  'function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)',
  'function name() view returns (string)',
  'function version() view returns (string)',
])

/** Name and version for which authorizations of a token are signed. @throws what the reader throws */
export async function readTokenName(
  chain: Pick<ChainReader, 'call'>,
  address: string,
): Promise<{ name: string; version: string }> {
  const ask = async (method: string) => {
    const answer = await chain.call({ to: address, data: token.encodeFunctionData(method) })
    return token.decodeFunctionResult(method, answer)
  }
  try {
    const { name, version } = await ask('eip712Domain')
    return { name, version }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    const [[name], [version]] = await Promise.all([ask('name'), ask('version')])
    return { name: String(name), version: String(version) }
  }
}
