import { localDollarAbi } from '@hexachord/contracts/generated'
import type { ChainLog } from '@hexachord/platform/chain'
import type { Address, Hash } from '@hexachord/protocol/names'
import { expect, test } from '@jest/globals'
import { Interface, type InterfaceAbi } from 'ethers'
import { findPayment } from './find-payment.ts'

const token = new Interface(localDollarAbi as InterfaceAbi)
const [buyer, shop, asset] = ['50', '51', '52'].map((byte) => `0x${byte.repeat(20)}` as Address) as [
  Address,
  Address,
  Address,
]
const nonceOf = (byte: string): Hash => `0x${byte.repeat(32)}`
const head = 2_000
/** Of a block; they come every second. */
const timeOf = (block: number) => 1_000_000 + block

type Logged = readonly ['used', Hash] | readonly ['paid', Address, bigint]

/** A chain in one of whose blocks this was logged, by one transaction, and who finds payments there. */
function chainWith(blockNumber: number, logged: readonly Logged[]) {
  const all = logged.map((one, logIndex): ChainLog => {
    const { topics, data } =
      one[0] === 'used'
        ? token.encodeEventLog('AuthorizationUsed', [buyer, one[1]])
        : token.encodeEventLog('Transfer', [buyer, one[1], one[2]])
    const place = { blockNumber, blockHash: '0x01', blockTimestamp: null, transactionHash: '0x02' }
    return { address: asset, topics, data, ...place, transactionIndex: 0, logIndex }
  })
  const asked: number[] = []
  const block = async (number: number | string) => ({
    ...{ number: Number(number), hash: '0x', parentHash: '0x' },
    timestamp: timeOf(Number(number)),
  })
  const chain: Parameters<typeof findPayment>[0] = {
    block,
    head: () => block(head),
    call: async () => token.encodeFunctionResult('authorizationState', [true]),
    async logs({ fromBlock, toBlock, narrowed = [] }) {
      asked.push(fromBlock)
      if (blockNumber < fromBlock || blockNumber > toBlock) return []
      return all.filter(({ topics }) =>
        narrowed.some((wanted) => wanted.topics.every((topic, at) => topic === topics[at])),
      )
    },
  }
  const find = (nonce: Hash, sinceSeconds = timeOf(0)) => {
    const unread = { validAfter: 0n, validBefore: 0n, signature: '0x' }
    const authorization = { from: buyer, to: shop, value: 402n, nonce, ...unread }
    return findPayment(chain, authorization, { asset, sinceSeconds: BigInt(sinceSeconds) })
  }
  return { find, asked }
}

test('one transfer is the payment of one nonce, though another one was used in the same transaction', async () => {
  const { find } = chainWith(head, [
    ['used', nonceOf('01')],
    ['paid', buyer, 402n],
    ['used', nonceOf('02')],
    ['paid', shop, 402n],
    ['used', nonceOf('03')],
    ['paid', shop, 401n],
    ['paid', shop, 402n],
  ])
  const found = await Promise.all(['01', '02', '03'].map((byte) => find(nonceOf(byte))))
  const payment = { transaction: '0x02', blockNumber: head }
  expect(found).toEqual([undefined, payment, undefined])
})

test('a payment is found where many blocks have come since, and none is looked for before it can have been signed', async () => {
  const mined = 700
  const { find, asked } = chainWith(mined, [
    ['used', nonceOf('01')],
    ['paid', shop, 402n],
  ])
  expect(await find(nonceOf('01'), timeOf(mined))).toMatchObject({ blockNumber: mined })
  expect(await find(nonceOf('01'), timeOf(mined + 1))).toBeUndefined()
  asked.length = 0
  expect(await find(nonceOf('01'), timeOf(1_600))).toBeUndefined()
  expect(asked).toEqual([1_501])
})
