import { createConfig } from 'ponder'
import { parseAbi } from 'viem'

const env = (name: string) => process.env[name] ?? ''

/** Ponder asks each address at most 20 times a second, so that one that is named often is asked more often. */
const rpc = Array<string>(Number(env('BENCH_RPC_COPIES'))).fill(env('BENCH_RPC_URL'))

export default createConfig({
  chains: { local: { id: 31337, rpc } },
  contracts: {
    Catalog: {
      chain: 'local',
      abi: parseAbi([
        'event Acted(address indexed signer, address indexed author, uint256 nonce, uint16 kind, bytes32 indexed subject, bytes content)',
      ]),
      address: env('BENCH_CATALOG') as `0x${string}`,
      startBlock: Number(env('BENCH_FIRST_BLOCK')),
      endBlock: Number(env('BENCH_LAST_BLOCK')),
    },
  },
})
