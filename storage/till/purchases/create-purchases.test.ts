import type { TransactionStatus } from '@hexachord/platform/chain'
import { type Address, subjectOf } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { Interface, Wallet } from 'ethers'
import { createPurchases, type PurchasesOptions } from './index.ts'

const abi = new Interface([
  'function purchaseOf(bytes32 track, address node) view returns (address)',
  'function eip712Domain() view returns (bytes1, string, string, uint256, address, bytes32, uint256[])',
])
const [node, payTo, token, trackPurchases] = ['40', '41', '42', '43'].map(
  (byte) => `0x${byte.repeat(20)}` as Address,
) as [Address, Address, Address, Address]
const subject = subjectOf(node, 1n)
const buyer = Wallet.createRandom()

/** A chain that settles all that is sent to it. */
function createNode(options: Partial<PurchasesOptions> = {}) {
  const settled = new Map<string, TransactionStatus>()
  const purchases = createPurchases({
    ...{ network: { chainId: 31337, payments: { token, trackPurchases } }, node, leastPrice: 0n },
    termsOf: () => ({ unitPrice: 100n }),
    chain: {
      async call({ data }) {
        const name = abi.getFunction(data.slice(0, 10))?.name
        if (name === 'purchaseOf') return abi.encodeFunctionResult(name, [payTo])
        if (name !== 'eip712Domain') return '0x'
        const domain = ['0x0f', 'Dollar', '1', 31337, token, `0x${'00'.repeat(32)}`, []]
        return abi.encodeFunctionResult(name, domain)
      },
    },
    sender: {
      enqueue({ id }) {
        settled.set(id, { id, state: 'mined', hash: `0x${'77'.repeat(32)}` } as TransactionStatus)
      },
      status: (id) => settled.get(id) ?? null,
      onChange: () => () => undefined,
    },
    now: Date.now,
    ...options,
  })
  return { purchases, settled }
}

async function asked({ purchases }: ReturnType<typeof createNode>) {
  const wanted = await purchases.requirements(subject, 3)
  if (wanted === undefined) throw new Error('the track is sold')
  return wanted
}

/** What the client of x402 signs, as npm has it. */
async function signed(wanted: Awaited<ReturnType<typeof asked>>): Promise<string> {
  type Signed = { domain: object; types: object; message: object }
  const scheme = new ExactEvmScheme({
    address: buyer.address as Address,
    signTypedData: async ({ domain, types, message }: Signed) =>
      (await buyer.signTypedData(domain, types as never, message)) as Address,
  } as never)
  const payment = await scheme.createPaymentPayload(2, wanted as never)
  return Buffer.from(JSON.stringify({ ...payment, accepted: wanted })).toString('base64')
}

describe('what a buyer has signed', () => {
  const reason = 'invalid_exact_evm_payload_authorization_valid_before'

  test('buys until it has passed, again and again, and then no more', async () => {
    let timeMs = Date.now()
    const one = createNode({ now: () => timeMs })
    const wanted = await asked(one)
    const header = await signed(wanted)
    const buy = () => one.purchases.buy(subject, wanted, header)
    await expect(buy()).resolves.toMatchObject({ amount: 300n })
    await expect(buy()).resolves.toMatchObject({ amount: 300n })
    timeMs += 601_000
    await expect(buy()).rejects.toMatchObject({ reason })
    expect(one.settled.size).toBe(1)
  })

  test('may be for as long as was asked, by a clock that is a minute ahead, and is refused beyond', async () => {
    const behind = (ms: number) => createNode({ now: () => Date.now() - ms })
    const wanted = await asked(behind(0))
    const header = await signed(wanted)
    await expect(behind(55_000).purchases.buy(subject, wanted, header)).resolves.toBeDefined()
    const late = behind(65_000)
    await expect(late.purchases.buy(subject, wanted, header)).rejects.toMatchObject({
      reason,
      message: expect.stringContaining('more than 600 s from now'),
    })
    expect(late.settled.size).toBe(0)
    const forEver = await signed({ ...wanted, maxTimeoutSeconds: 1e15 })
    await expect(behind(0).purchases.buy(subject, wanted, forEver)).rejects.toMatchObject({ reason })
  })
})
