import type { TransactionStatus } from '@hexachord/platform/chain'
import { createApp, finishApp, listen } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { type Address, subjectOf } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPayment, x402Client, x402HTTPClient } from '@x402/fetch'
import { Interface, Wallet } from 'ethers'
import { audioRoutes } from '../../audio/index.ts'
import { startTill, testSubject } from '../fixtures/index.ts'
import { createPurchases, type PurchasesOptions, purchaseRoutes } from './index.ts'

const abi = new Interface([
  'function purchaseOf(bytes32 track, address node) view returns (address)',
  'function balanceOf(address account) view returns (uint256)',
  'function eip712Domain() view returns (bytes1, string, string, uint256, address, bytes32, uint256[])',
])
const [node, payTo, token, trackPurchases] = ['40', '41', '42', '43'].map(
  (byte) => `0x${byte.repeat(20)}` as Address,
) as [Address, Address, Address, Address]
const subject = subjectOf(node, 1n)
const buyer = Wallet.createRandom()

const nobodyAsks = () => Promise.reject(new Error('nobody asks'))

/** A chain that settles all that is sent to it. @param balance of whoever buys */
function createNode(options: Partial<PurchasesOptions> = {}, balance = 10_000n) {
  const settled = new Map<string, TransactionStatus>()
  const purchases = createPurchases({
    ...{ network: { chainId: 31337, finalityBlocks: 2, payments: { token, trackPurchases } }, node },
    ...{ leastPrice: 0n, requireOpen: async () => undefined },
    ...{ leastNodeBps: 1_000, weiPerUnit: 0n, gasPrice: async () => 10n },
    termsOf: () => ({ unitPrice: 100n, nodeBps: 1_000, curatorBps: 0 }),
    chain: {
      head: nobodyAsks,
      block: nobodyAsks,
      logs: nobodyAsks,
      async call({ data }) {
        const name = abi.getFunction(data.slice(0, 10))?.name
        if (name === 'balanceOf') return abi.encodeFunctionResult(name, [balance])
        if (name === 'purchaseOf') return abi.encodeFunctionResult(name, [payTo])
        if (name !== 'eip712Domain') return '0x'
        const domain = ['0x0f', 'Dollar', '1', 31337, token, `0x${'00'.repeat(32)}`, []]
        return abi.encodeFunctionResult(name, domain)
      },
    },
    sender: {
      enqueue({ id }) {
        const status = { id, state: 'mined', hash: `0x${'77'.repeat(32)}` } as TransactionStatus
        settled.set(id, status)
        return status
      },
      status: (id) => settled.get(id) ?? null,
      onChange: () => () => undefined,
      retry: () => false,
    },
    now: Date.now,
    ...options,
  })
  return { purchases, settled }
}

/** The scheme `exact` as npm has it. */
const scheme = new ExactEvmScheme({
  address: buyer.address as Address,
  async signTypedData({ domain, types, message }: { domain: object; types: object; message: object }) {
    return (await buyer.signTypedData(domain, types as never, message)) as Address
  },
} as never)

async function asked({ purchases }: ReturnType<typeof createNode>) {
  const wanted = await purchases.requirements(subject, 3)
  if (wanted === undefined) throw new Error('the track is sold')
  return wanted
}

/** What the client of x402 signs, as npm has it. */
async function signed(wanted: Awaited<ReturnType<typeof asked>>): Promise<string> {
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

describe('a purchase that its node does not want', () => {
  const giving = (nodeBps: number) => () => ({ unitPrice: 100n, nodeBps, curatorBps: 0 })
  /** What a node that gets 30 units of a purchase pays for the gas of one that takes 220,000. */
  const earning = (weiPerUnit: bigint) => createNode({ weiPerUnit, gasPrice: async () => 30n })
  const breakEven = 220_000n

  test('gives it less than its floor: the reason is the one that segments are refused with', async () => {
    const { purchases } = createNode({ termsOf: giving(999) })
    await expect(purchases.requirements(subject, 3)).rejects.toMatchObject({
      status: 403,
      slug: 'share-too-small',
    })
    await expect(createNode().purchases.requirements(subject, 3)).resolves.toBeDefined()
  })

  test('does not pay its gas', async () => {
    const one = earning(breakEven)
    const wanted = await asked(one)
    const refusal = {
      status: 403,
      slug: 'purchase-below-gas',
      message: expect.stringContaining('would earn 30 base units, and gas costs it 30 now'),
    }
    await expect(one.purchases.requireWanted(subject, wanted)).rejects.toMatchObject(refusal)
    await expect(one.purchases.buy(subject, wanted, await signed(wanted))).rejects.toMatchObject(refusal)
    expect(one.settled.size).toBe(0)

    const better = earning(breakEven + 1n)
    await expect(better.purchases.requireWanted(subject, wanted)).resolves.toBeUndefined()
    await expect(better.purchases.buy(subject, wanted, await signed(wanted))).resolves.toBeDefined()
  })

  test('may cost any gas where the operator reckons without it', async () => {
    const one = createNode({ gasPrice: nobodyAsks })
    const wanted = await asked(one)
    await expect(one.purchases.requireWanted(subject, wanted)).resolves.toBeUndefined()
    await expect(one.purchases.buy(subject, wanted, await signed(wanted))).resolves.toBeDefined()
  })

  test('is given all the same when it was paid before gas rose', async () => {
    let wei = 1n
    const one = createNode({ weiPerUnit: breakEven, gasPrice: async () => wei })
    const wanted = await asked(one)
    const header = await signed(wanted)
    await one.purchases.buy(subject, wanted, header)
    wei = 1_000n
    await expect(one.purchases.buy(subject, wanted, header)).resolves.toMatchObject({ amount: 300n })
  })
})

test('one balance is not promised to several purchases at a time, all but one of which would cost gas in vain', async () => {
  const states = new Map<string, TransactionStatus>()
  const sender: PurchasesOptions['sender'] = {
    enqueue({ id }) {
      const status = states.get(id) ?? ({ id, state: 'sent', hash: null } as TransactionStatus)
      states.set(id, status)
      return status
    },
    status: (id) => states.get(id) ?? null,
    onChange: () => () => undefined,
    retry: () => false,
  }
  const one = createNode({ minedTimeoutMs: 0, sender }, 700n)
  const wanted = await asked(one)
  const headers = await Promise.all([1, 2, 3].map(() => signed(wanted)))
  const buy = (header: string) => one.purchases.buy(subject, wanted, header)
  const answers = await Promise.allSettled(headers.map(buy))
  expect(answers.map((answer) => answer.status === 'rejected' && answer.reason.name)).toEqual(
    Array(3).fill('PurchaseUnderWay'),
  )
  // Its payer has enough for two.
  expect(states.size).toBe(2)
  for (const [id, status] of states) states.set(id, { ...status, state: 'mined' })
  await Promise.allSettled(headers.map(buy))
  expect(states.size).toBe(3)
})

describe('a client of x402 that knows nothing of us', () => {
  const client = x402Client.fromConfig({
    schemes: [{ network: 'eip155:*', client: scheme }],
    spendControls: { allowedAssets: [{ network: 'eip155:31337', asset: token }] },
  })
  const paying = wrapFetchWithPayment(fetch, client)

  /** What the 402 of an address says, as the client reads it. */
  async function requiredAt(url: string) {
    const response = await fetch(url)
    const header = (name: string) => response.headers.get(name)
    const { accepts, extensions } = new x402HTTPClient(client).getPaymentRequiredResponse(header)
    return { status: response.status, accepts, extensions, link: header('link') }
  }

  test('is led by a segment, which it cannot pay, to the whole track, which it buys', async () => {
    let wholeTrack: string | undefined
    const till = await startTill({ wholeTrackOf: (of) => (of === testSubject ? wholeTrack : undefined) })
    const app = createApp({
      ...{ logger: createLogger({ service: 'test', level: 'silent' }), metrics: createMetrics('test') },
      service: 'test',
    })
    app.use(
      purchaseRoutes({
        ...{ purchases: createNode().purchases, soldAs: async () => ({ subject, units: 8 }) },
        ...{
          isAdmitted: () => false,
          audio: audioRoutes(till),
          publicUrl: 'https://node.example',
        },
      }),
    )
    const shop = await listen(finishApp(app), { host: '127.0.0.1', port: 0 })
    try {
      const segment = `${till.origin}/ipfs/${till.segment(0)}`
      expect(await requiredAt(segment)).toMatchObject({ status: 402, extensions: {}, link: null })

      wholeTrack = `${shop.origin}/audio/${till.track.manifest}`
      const required = await requiredAt(segment)
      expect(required.accepts.map(({ scheme }) => scheme)).toEqual(['stream-voucher'])
      await expect(paying(segment)).rejects.toThrow('No network/scheme registered')
      const extension = required.extensions?.['hexachord-whole-track']
      expect(extension).toMatchObject({
        info: { url: wholeTrack, scheme: 'exact', network: 'eip155:31337' },
        schema: { type: 'object', required: ['url', 'scheme', 'network'] },
      })
      const [, target = ''] = /^<(.+)>; rel="payment"/.exec(required.link ?? '') ?? []
      expect(target).toBe(wholeTrack)

      const bought = await paying(target)
      expect([bought.status, bought.headers.get('content-type')]).toEqual([200, 'audio/mp4'])
      expect((await bought.arrayBuffer()).byteLength).toBeGreaterThan(8 * 3_000)
    } finally {
      await shop.close()
      await till.close()
    }
  })

  test('is led nowhere for a track that is not sold whole', () => {
    const sells = (options: Partial<PurchasesOptions>) => createNode(options).purchases.sells(subject, 3)
    const giving = (nodeBps: number, unitPrice: bigint) => () => ({ unitPrice, nodeBps, curatorBps: 0 })
    expect(sells({ leastPrice: 300n })).toBe(true)
    expect(sells({ leastPrice: 301n })).toBe(false)
    expect(sells({ termsOf: giving(999, 100n) })).toBe(false)
    expect(sells({ termsOf: giving(1_000, 0n) })).toBe(false)
    expect(sells({ termsOf: () => undefined })).toBe(false)
  })
})
