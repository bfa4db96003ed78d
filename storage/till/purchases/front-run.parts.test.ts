import { localDollarAbi } from '@hexachord/contracts/generated'
import { eventually } from '@hexachord/platform/testing'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { decodePaymentResponseHeader } from '@x402/fetch'
import { Contract, type JsonRpcSigner, Signature, Wallet } from 'ethers'
import { finalityBlocks, type Market, openMarket, type Shop } from './fixtures/index.ts'

// A chain is started and contracts are deployed on a machine that does other things as well.
jest.setTimeout(60_000)

const hotKey = `0x${'0a'.repeat(32)}`

let market: Market
let shop: Shop
/** Sees what others send before it is mined. */
let runner: JsonRpcSigner

beforeAll(async () => {
  market = await openMarket()
  shop = await market.openShop(hotKey)
  runner = await market.provider.getSigner(2)
})

afterEach(() => setMining(true))
afterAll(() => market.close())

const setMining = (isAutomatic: boolean) => market.provider.send('evm_setAutomine', [isAutomatic])
const nonceOf = (byte: string) => `0x${byte.repeat(32)}`
const price = 402n

/** What a node's hot key has sent and nobody has mined. */
async function pending(key = hotKey): Promise<string | undefined> {
  const { pending } = await market.provider.send('txpool_content', [])
  const sent = Object.entries(pending as Record<string, Record<string, { input: string }>>)
  const isTheirs = ([account]: [string, unknown]) =>
    account.toLowerCase() === new Wallet(key).address.toLowerCase()
  const [first] = Object.values(sent.find(isTheirs)?.[1] ?? {})
  return first?.input
}

/** Waits for a purchase that is on its way, and is mined before it: with its very words, or by what it has signed alone. */
async function runAhead(by: 'contract' | 'token', key = hotKey): Promise<string> {
  await eventually(async () => expect(await pending(key)).toBeDefined())
  const data = (await pending(key)) ?? ''
  const hasty = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 10n ** 11n, gasLimit: 400_000n }
  let sent: Promise<{ hash: string }>
  if (by === 'contract') {
    sent = runner.sendTransaction({ to: market.payments.trackPurchases, data, ...hasty })
  } else {
    const [track, node, signed] = market.contract.interface.decodeFunctionData(
      'settleWithAuthorization',
      data,
    )
    const to = await market.contract.getFunction('purchaseOf')(track, node)
    const { from, value, validAfter, validBefore, nonce, v, r, s } = signed
    const token = new Contract(market.payments.token, localDollarAbi, runner)
    const transfer = token.getFunction('transferWithAuthorization')
    sent = transfer(from, to, value, validAfter, validBefore, nonce, v, r, s, hasty)
  }
  const { hash } = await sent
  await market.chain.mine(1)
  return hash
}

/** What somebody sends to the token that a buyer has signed. */
async function useAuthorization(header: string): Promise<void> {
  const { payload } = JSON.parse(Buffer.from(header, 'base64').toString())
  const { from, to, value, validAfter, validBefore, nonce } = payload.authorization
  const token = new Contract(market.payments.token, localDollarAbi, runner)
  const { r, s, v } = Signature.from(payload.signature)
  const transfer = token.getFunction('transferWithAuthorization')
  await (await transfer(from, to, value, validAfter, validBefore, nonce, v, r, s)).wait()
}

describe('a purchase that somebody else sends first', () => {
  test.each(['contract', 'token'] as const)(
    'to the %s is given to a client of x402 that knows nothing of it, and everybody has the money',
    async (by) => {
      const { fetch: paying, wallet, sent } = await market.buyer(1_000n)
      const before = await market.earned()
      await setMining(false)
      const buying = paying(shop.urlOf(market.track))
      const theirs = await runAhead(by)
      const response = await buying
      expect([response.status, (await response.arrayBuffer()).byteLength > 60_000]).toEqual([200, true])
      const receipt = decodePaymentResponseHeader(response.headers.get('payment-response') ?? '')
      expect(receipt).toMatchObject({ success: true, transaction: theirs, amount: String(price) })
      await setMining(true)
      // What lay at the track's address is split without anybody having to ask for it.
      await eventually(async () =>
        expect(await market.earned()).toEqual({ node: before.node + 60n, track: before.track + 342n }),
      )
      expect(await market.balanceOf(wallet)).toBe(1_000n - price)
      // A broken download goes on with it, and nothing is paid twice.
      const [header = ''] = sent
      expect(await market.pay(shop, market.track, header)).toBe(200)
      expect(await market.balanceOf(wallet)).toBe(1_000n - price)
    },
  )

  test('is nobody else’s, and no other purchase of the buyer’s', async () => {
    const { wallet } = await market.buyer(1_000n)
    const asked = await market.askedAt(shop, market.track)
    const header = await market.signed(wallet, asked, nonceOf('11'))
    await setMining(false)
    const buying = market.pay(shop, market.track, header)
    await runAhead('contract')
    expect(await buying).toBe(200)
    await setMining(true)
    await market.chain.mine(finalityBlocks)

    const forged = async (from: string, signer: Wallet) => {
      const { payload, ...payment } = JSON.parse(Buffer.from(header, 'base64').toString())
      const other = await market.signed(signer, asked, nonceOf('11'))
      const { signature } = JSON.parse(Buffer.from(other, 'base64').toString()).payload
      const changed = {
        ...payment,
        payload: { signature, authorization: { ...payload.authorization, from } },
      }
      return Buffer.from(JSON.stringify(changed)).toString('base64')
    }
    const thief = new Wallet(Wallet.createRandom().privateKey)
    const twin = await market.openShop(`0x${'0c'.repeat(32)}`)
    for (const at of [shop, twin]) {
      expect(await market.pay(at, market.track, await forged(wallet.address, thief))).toBe(402)
      expect(await market.pay(at, market.track, await forged(thief.address, thief))).toBe(402)
      expect(await market.pay(at, market.other, header)).toBe(402)
      const forOther = await market.signed(wallet, await market.askedAt(at, market.other), nonceOf('11'))
      expect(await market.pay(at, market.other, forOther)).toBe(402)
      expect(await market.pay(at, market.track, header)).toBe(200)
    }
  })

  test('is given by a node that has lost its outbox as soon as no reorganisation can take it', async () => {
    const { wallet } = await market.buyer(1_000n)
    const header = await market.signed(wallet, await market.askedAt(shop, market.track), nonceOf('12'))
    await useAuthorization(header)
    const fresh = await market.openShop(`0x${'0d'.repeat(32)}`)
    expect(await market.pay(fresh, market.track, header)).toBe(503)
    await market.chain.mine(finalityBlocks)
    expect(await market.pay(fresh, market.track, header)).toBe(200)
    expect(await market.balanceOf(wallet)).toBe(1_000n - price)
  })

  test('is given by a node that died before it was mined', async () => {
    const { wallet } = await market.buyer(1_000n)
    const key = `0x${'0e'.repeat(32)}`
    const dying = await market.openShop(key, { minedTimeoutMs: 1_000 })
    const header = await market.signed(wallet, await market.askedAt(dying, market.track), nonceOf('13'))
    await setMining(false)
    const asking = new AbortController()
    const buying = fetch(dying.urlOf(market.track), {
      ...{ headers: { 'payment-signature': header }, signal: asking.signal },
    }).catch(() => undefined)
    await eventually(async () => expect(await pending(key)).toBeDefined())
    asking.abort()
    await buying
    await dying.close()
    await runAhead('contract', key)
    await setMining(true)
    const again = await market.openShop(key, { outbox: dying.outbox })
    expect(await market.pay(again, market.track, header)).toBe(200)
    expect(await market.balanceOf(wallet)).toBe(1_000n - price)
  })

  test('pays all the same where a reorganisation takes it off the chain', async () => {
    const { wallet } = await market.buyer(1_000n)
    const header = await market.signed(wallet, await market.askedAt(shop, market.track), nonceOf('14'))
    await setMining(false)
    const buying = market.pay(shop, market.track, header)
    const theirs = await market.provider.getTransactionReceipt(await runAhead('contract'))
    expect(await buying).toBe(200)
    await setMining(true)
    const before = await market.balanceOf(wallet)
    const { chain } = market
    await chain.reorganise((await chain.head()) - (theirs?.blockNumber ?? 0) + 1)
    expect([before, await market.balanceOf(wallet)]).toEqual([1_000n - price, 1_000n])
    // The node sends its own again.
    await eventually(async () => expect(await market.balanceOf(wallet)).toBe(before))
    expect(await market.pay(shop, market.track, header)).toBe(200)
  })

  test('is none where its nonce was used for something else, or long before what it is good for', async () => {
    const { wallet } = await market.buyer(2_000n)
    const asked = await market.askedAt(shop, market.track)
    const toThemselves = await market.signed(wallet, { ...asked, payTo: wallet.address }, nonceOf('15'))
    await useAuthorization(toThemselves)
    const cheap = await market.signed(wallet, { ...asked, amount: '1' }, nonceOf('16'))
    await useAuthorization(cheap)
    const once = await market.signed(wallet, asked, nonceOf('17'))
    await useAuthorization(once)
    await market.chain.mine(finalityBlocks)
    expect(await market.pay(shop, market.track, once)).toBe(200)
    const left = await market.balanceOf(wallet)
    for (const byte of ['15', '16']) {
      expect(await market.pay(shop, market.track, await market.signed(wallet, asked, nonceOf(byte)))).toBe(
        402,
      )
    }
    // Signed anew again and again, one payment would be good for ever.
    const late = await market.openShop(`0x${'0f'.repeat(32)}`, { now: () => Date.now() + 700_000 })
    const later = await market.signed(wallet, asked, nonceOf('17'), 1_200)
    expect(await market.pay(late, market.track, later)).toBe(402)
    expect(await market.balanceOf(wallet)).toBe(left)
  })
})
