import {
  bigintField,
  costOfTransaction,
  MalformedAnswer,
  type Rpc,
  RpcError,
} from '@hexachord/platform/chain'

/** What the hot key has for gas, and what gas costs. */
export type Purse = {
  /** In wei; asked at most every quarter of a minute. @throws what the chain's node gives */
  gasPrice(): Promise<bigint>
  /** What a transaction that is final has cost, in wei; zero where the chain's node has dropped its receipt. */
  costOf(hash: string): Promise<bigint>
  /** Looks what there is. */
  look(): Promise<void>
  /** As it was when it was looked at last; undefined before. Short: soon there will be none for redeeming. */
  balance(): { wei: bigint; isShort: boolean } | undefined
}

const priceForMs = 15_000
/** Of redeeming a thousand lines and taking a few dozen reserves to the chain. */
const gasInReserve = 10_000_000n

export function createPurse(options: { rpc: Pick<Rpc, 'call'>; account: string; now: () => number }): Purse {
  const { rpc, account, now } = options
  let price: { wei: bigint; until: number } | undefined
  let balance: ReturnType<Purse['balance']>

  async function gasPrice(): Promise<bigint> {
    if (price === undefined || now() >= price.until) {
      price = { wei: bigintField(await rpc.call('eth_gasPrice', []), 'gas price'), until: now() + priceForMs }
    }
    return price.wei
  }

  return {
    gasPrice,
    async costOf(hash) {
      try {
        return await costOfTransaction(rpc, hash)
      } catch (error) {
        if (error instanceof RpcError || error instanceof MalformedAnswer) return 0n
        throw error
      }
    },
    async look() {
      const wei = bigintField(await rpc.call('eth_getBalance', [account, 'latest']), 'balance')
      balance = { wei, isShort: wei < gasInReserve * (await gasPrice()) }
    },
    balance: () => balance,
  }
}
