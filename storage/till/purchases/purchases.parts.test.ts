import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  localDollarAbi,
  streamEscrowAbi,
  trackPurchasesAbi,
  trackRegistryAbi,
} from '@hexachord/contracts/generated'
import {
  type ChainReader,
  createChainReader,
  createSender,
  outboxMigrations,
} from '@hexachord/platform/chain'
import { createApp, finishApp, type Listening, listen, Problem } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { type Address, type Subject, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { unitCount } from '@hexachord/protocol/payments'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { decodePaymentResponseHeader, wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { Contract, JsonRpcProvider, type JsonRpcSigner, Wallet } from 'ethers'
import { audioRoutes } from '../../audio/index.ts'
import { startTestChain, type TestChain } from '../../catalogue/fixtures/index.ts'
import { createEmbeddedIpfs, type IpfsNode } from '../../ipfs/index.ts'
import { makeTestTrack, type TestTrack } from '../../tracks/fixtures/index.ts'
import { loadLocalTrack } from '../../tracks/index.ts'
import { createPurchases, purchaseRoutes } from './index.ts'

// A chain is started and contracts are deployed on a machine that does other things as well.
jest.setTimeout(60_000)

const logger = createLogger({ service: 'test', level: 'silent' })
const node: Address = `0x${'40'.repeat(20)}`
const unitPrice = 134n
const leastPrice = 300n
const sharing = { unitPrice, nodeBps: 1_500, curatorBps: 300 }

let folder: string
let chain: TestChain
let provider: JsonRpcProvider
let payments: { token: string; trackPurchases: string; streamEscrow: string }
let ipfs: IpfsNode
let track: TestTrack
let other: TestTrack
let reader: ChainReader
let treasury: JsonRpcSigner
let server: Listening
let artist: string
let token: Contract
/** What nodes have for sale, by manifest. */
const units = new Map<string, number>()
const subjects = new Map<string, Subject>()
const closing: (() => Promise<void> | void)[] = []
let timeMs = () => Date.now()
/** Whether no money may be taken. */
let isShut = false

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-purchases-'))
  chain = await startTestChain({ payments: true })
  provider = new JsonRpcProvider(chain.rpcUrl, 31337, { staticNetwork: true, cacheTimeout: -1 })
  provider.pollingInterval = 20
  treasury = await provider.getSigner(0)
  const { trackPurchases, token: at, streamEscrow, trackRegistry = '' } = chain.network.payments ?? {}
  if (trackPurchases === undefined || at === undefined || streamEscrow === undefined) {
    throw new Error('the network has payments')
  }
  payments = { trackPurchases, token: at, streamEscrow }
  token = new Contract(at, localDollarAbi, treasury)

  const author = await provider.getSigner(1)
  artist = author.address
  const registry = new Contract(trackRegistry, trackRegistryAbi, author)
  const terms = [unitPrice, 1_500, 300, [artist], [10_000]]
  for (const sold of [subject(), second()]) {
    await (await registry.getFunction('setTerms')(subjectToBytes32(sold), terms)).wait()
  }

  ipfs = await createEmbeddedIpfs({ directory: join(folder, 'ipfs'), bitswap: false, logger })
  track = await makeTestTrack({ segments: 3 })
  other = await makeTestTrack({ segments: 4 })
  for (const [{ manifest, blocks }, sold] of [[track, subject()] as const, [other, second()] as const]) {
    for (const { cid, bytes } of blocks) await ipfs.putVerified(cid, bytes)
    units.set(manifest, unitCount(await loadLocalTrack(ipfs, manifest)))
    subjects.set(manifest, sold)
  }
  reader = createChainReader({ rpcUrls: [chain.rpcUrl] })
  server = await startNode(node, `0x${'0a'.repeat(32)}`)
})

/** A node of an operator, with an outbox and a hot key of its own. */
async function startNode(node: Address, hotKey: string): Promise<Listening> {
  await (await treasury.sendTransaction({ to: new Wallet(hotKey).address, value: 10n ** 18n })).wait()
  const database = openSqlite(join(folder, `outbox-${closing.length}.sqlite`), {
    migrations: outboxMigrations,
  })
  const sender = createSender({
    ...{ database, rpcUrls: [chain.rpcUrl], privateKey: hotKey, chainId: 31337, finalityBlocks: 2, logger },
    ...{ pollMs: 20, signal: AbortSignal.timeout(300_000) },
  })
  const purchases = createPurchases({
    ...{
      network: { chainId: 31337, payments },
      node,
      chain: reader,
      sender,
      leastPrice,
      now: () => timeMs(),
    },
    ...{ leastNodeBps: 1_500, weiPerUnit: 1n, gasPrice: async () => 0n },
    termsOf: (id) => ([subject(), second()].map(subjectToBytes32).includes(id) ? sharing : undefined),
  })
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  const audio = audioRoutes({ ipfs })
  const soldAs = async (manifest: string) => {
    const [count, sold] = [units.get(manifest), subjects.get(manifest)]
    return count === undefined || sold === undefined ? undefined : { subject: sold, units: count }
  }
  const isAdmitted = ({ headers }: { headers: { authorization?: string } }) =>
    headers.authorization === 'a peer'
  app.use(
    purchaseRoutes({
      ...{ purchases, soldAs, isAdmitted, audio, publicUrl: 'https://node.example' },
      requireOpen: async () => {
        if (isShut) throw new Problem({ status: 503, slug: 'till-closed', detail: 'another till is there' })
      },
    }),
  )
  app.use(audio)
  const listening = await listen(finishApp(app), { host: '127.0.0.1', port: 0 })
  closing.push(async () => {
    await listening.close()
    await sender.close()
    database.close()
  })
  return listening
}

afterAll(async () => {
  for (const close of closing) await close()
  await reader.close()
  await ipfs.close()
  provider.destroy()
  await chain.close()
  await rm(folder, { recursive: true, force: true })
})

const subject = () => subjectOf(artist.toLowerCase() as Address, 1n)
const second = () => subjectOf(artist.toLowerCase() as Address, 2n)
const audioUrl = () => `${server.origin}/audio/${track.manifest}`

/** Somebody with money and the client of x402, as npm has it. */
async function buyer(dollars: bigint): Promise<{ wallet: Wallet; fetch: typeof fetch; sent: string[] }> {
  const wallet = new Wallet(Wallet.createRandom().privateKey)
  await (await token.getFunction('mint')(wallet.address, dollars)).wait()
  type Signed = { domain: object; types: object; message: object }
  const signer = {
    address: wallet.address as Address,
    signTypedData: async ({ domain, types, message }: Signed) =>
      (await wallet.signTypedData(domain, types as never, message)) as Address,
  }
  const sent: string[] = []
  const watched: typeof fetch = (input, init) => {
    const header = new Request(input, init).headers.get('payment-signature')
    if (header !== null) sent.push(header)
    return fetch(input, init)
  }
  const paying = wrapFetchWithPaymentFromConfig(watched, {
    schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(signer as never) }],
    // It knows the dollars of real chains by itself.
    spendControls: { allowedAssets: [{ network: 'eip155:31337', asset: payments.token }] },
  })
  return { wallet, fetch: paying, sent }
}

const earned = async () => {
  const escrow = new Contract(payments.streamEscrow, streamEscrowAbi, provider)
  const [total] = await escrow.getFunction('earnedBy')(subjectToBytes32(subject()), 1)
  return { node: await escrow.getFunction('balanceOf')(node), track: total as bigint }
}

describe('a client of x402 that knows nothing of us', () => {
  test('buys a track: the file for the price of all its units, split on the chain', async () => {
    const { fetch: paying, wallet, sent } = await buyer(1_000n)
    const before = await earned()
    const response = await paying(audioUrl())
    const bytes = await response.arrayBuffer()
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'private, no-store'])
    expect(bytes.byteLength).toBe(Number(response.headers.get('content-length')))
    expect(bytes.byteLength).toBeGreaterThan(60_000)

    const receipt = decodePaymentResponseHeader(response.headers.get('payment-response') ?? '')
    expect(receipt).toMatchObject({ success: true, payer: wallet.address.toLowerCase(), amount: '402' })
    const mined = await provider.getTransactionReceipt(receipt.transaction)
    expect(mined).toMatchObject({ status: 1 })
    // What a node reckons with; see `gasOfPurchase`.
    expect(mined?.gasUsed).toBeLessThan(220_000n)
    const after = await earned()
    expect([after.node - before.node, after.track - before.track]).toEqual([60n, 342n])
    expect(await token.getFunction('balanceOf')(wallet.address)).toBe(598n)

    // The same payment again is the same purchase, and goes on where a download broke.
    const [header = ''] = sent
    const rest = await fetch(audioUrl(), { headers: { 'payment-signature': header, range: 'bytes=100-199' } })
    expect([rest.status, (await rest.arrayBuffer()).byteLength]).toEqual([206, 100])
    expect(await earned()).toEqual(after)
  })

  test('gets nothing without money, and is told why', async () => {
    const { fetch: paying } = await buyer(401n)
    const response = await paying(audioUrl())
    expect(response.status).toBe(402)
    expect(decodePaymentResponseHeader(response.headers.get('payment-response') ?? '')).toMatchObject({
      success: false,
      errorReason: 'insufficient_funds',
    })
    expect(await response.json()).toMatchObject({
      detail: expect.stringContaining('ERC20InsufficientBalance'),
    })
  })
})

describe('a purchase', () => {
  test('is asked for by 402 with what all of the track costs, and not of other nodes', async () => {
    const response = await fetch(audioUrl())
    const asked = JSON.parse(Buffer.from(response.headers.get('payment-required') ?? '', 'base64').toString())
    expect(response.status).toBe(402)
    const purchases = new Contract(payments.trackPurchases, trackPurchasesAbi, provider)
    expect(asked).toMatchObject({
      x402Version: 2,
      resource: { url: `https://node.example/audio/${track.manifest}` },
      accepts: [
        {
          ...{ scheme: 'exact', network: 'eip155:31337', amount: '402', asset: payments.token },
          payTo: await purchases.getFunction('purchaseOf')(subjectToBytes32(subject()), node),
          extra: { name: 'Local Dollar', version: '1' },
        },
      ],
    })
    const peer = await fetch(audioUrl(), { headers: { authorization: 'a peer' } })
    expect([peer.status, peer.headers.get('cache-control')]).toEqual([
      200,
      'public, max-age=29030400, immutable',
    ])
  })

  test('is neither asked for nor taken while no money may be taken here', async () => {
    isShut = true
    const closed = await fetch(`${server.origin}/audio/${track.manifest}`)
    isShut = false
    expect([closed.status, closed.headers.get('payment-required')]).toEqual([503, null])
  })

  test('of less than the floor is none: the track goes by another door', async () => {
    units.set(track.manifest, 2)
    expect((await fetch(audioUrl())).status).toBe(200)
    units.set(track.manifest, 3)
  })

  test('is refused when it was altered, is for something else, or is late', async () => {
    const { fetch: paying, sent } = await buyer(1_000n)
    units.set(track.manifest, 4)
    await paying(audioUrl())
    units.set(track.manifest, 3)
    const [header = ''] = sent
    const payment = JSON.parse(Buffer.from(header, 'base64').toString())
    const { authorization } = payment.payload
    const reasonFor = async (changes: object, signature = payment.payload.signature) => {
      const changed = { ...payment, payload: { authorization: { ...authorization, ...changes }, signature } }
      const again = Buffer.from(JSON.stringify(changed)).toString('base64')
      const { status, headers } = await fetch(audioUrl(), { headers: { 'payment-signature': again } })
      const answer = headers.get('payment-response')
      return status === 402 && answer !== null ? decodePaymentResponseHeader(answer).errorReason : status
    }
    const prefix = 'invalid_exact_evm_payload'
    expect(await reasonFor({})).toBe(`${prefix}_authorization_value`)
    expect(await reasonFor({ value: '402' })).toBe(`${prefix}_signature`)
    expect(await reasonFor({ to: artist })).toBe(`${prefix}_recipient_mismatch`)
    expect(await reasonFor({ value: '402', validAfter: '4000000000' })).toBe(
      `${prefix}_authorization_valid_after`,
    )
    expect(await reasonFor({ value: '402' }, '0x12')).toBe(`${prefix}_signature`)
    expect(await reasonFor({ value: 'much' })).toBe(400)
    timeMs = () => Date.now() + 3_600_000
    expect(await reasonFor({ value: '402' })).toBe(`${prefix}_authorization_valid_before`)
    timeMs = () => Date.now()
    for (const header of [
      'no base64 of JSON',
      Buffer.from('{"x402Version":1}').toString('base64'),
      'A'.repeat(9_000),
    ]) {
      expect((await fetch(audioUrl(), { headers: { 'payment-signature': header } })).status).toBe(400)
    }
  })

  test('is one, however often it is sent at a time', async () => {
    const { fetch: paying, sent, wallet } = await buyer(2_000n)
    await paying(audioUrl())
    const [header = ''] = sent
    const ask = () => fetch(audioUrl(), { headers: { 'payment-signature': header } })
    const answers = await Promise.all([ask(), ask(), ask()])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    await Promise.all(answers.map((answer) => answer.arrayBuffer()))
    expect(await token.getFunction('balanceOf')(wallet.address)).toBe(1_598n)
  })
})

/** What a node asks for a track. */
type Asked = { payTo: string; amount: string; network: string; scheme: string; extra: object }

async function askedAt(origin: string, { manifest }: TestTrack): Promise<Asked> {
  const { headers } = await fetch(`${origin}/audio/${manifest}`)
  const asked = JSON.parse(Buffer.from(headers.get('payment-required') ?? '', 'base64').toString())
  return asked.accepts[0]
}

/** A payment of what is asked for, under a nonce of the buyer's choice. */
async function signed(wallet: Wallet, accepted: Asked, nonce: string): Promise<string> {
  const authorization = {
    ...{ from: wallet.address, to: accepted.payTo, value: accepted.amount, nonce },
    ...{ validAfter: '0', validBefore: String(Math.floor(Date.now() / 1000) + 300) },
  }
  const names = { from: 'address', to: 'address', value: 'uint256', validAfter: 'uint256' }
  const fields = Object.entries({ ...names, validBefore: 'uint256', nonce: 'bytes32' })
  const signature = await wallet.signTypedData(
    { ...accepted.extra, chainId: 31337, verifyingContract: payments.token },
    { TransferWithAuthorization: fields.map(([name, type]) => ({ name, type })) },
    authorization,
  )
  const payment = { x402Version: 2, accepted, payload: { signature, authorization } }
  return Buffer.from(JSON.stringify(payment)).toString('base64')
}

/** Sends payments all at one moment. @returns how each was answered, and what the buyer has left */
async function race(wallet: Wallet, asks: readonly (readonly [string, TestTrack, string])[]) {
  const answers = await Promise.all(
    asks.map(async ([origin, { manifest }, header]) => {
      const response = await fetch(`${origin}/audio/${manifest}`, {
        headers: { 'payment-signature': header },
      })
      await response.arrayBuffer()
      return response.status
    }),
  )
  return { answers, left: (await token.getFunction('balanceOf')(wallet.address)) as bigint }
}

describe('one nonce', () => {
  const nonceOf = (byte: string) => `0x${byte.repeat(32)}`

  test('does not buy two tracks, sent at one moment or after each other', async () => {
    const { wallet } = await buyer(2_000n)
    const [one, two] = [await askedAt(server.origin, track), await askedAt(server.origin, other)]
    const asks = [
      [server.origin, track, await signed(wallet, one, nonceOf('01'))],
      [server.origin, other, await signed(wallet, two, nonceOf('01'))],
    ] as const
    const { answers, left } = await race(wallet, asks)
    expect([...answers].sort()).toEqual([200, 402])
    const paid = BigInt(answers[0] === 200 ? one.amount : two.amount)
    expect(left).toBe(2_000n - paid)
    // The one that was refused stays refused, and the other pays for nothing but its own track.
    expect(await race(wallet, asks)).toEqual({ answers, left })
    const crossed = [
      [server.origin, other, asks[0][2]],
      [server.origin, track, asks[1][2]],
    ] as const
    expect(await race(wallet, crossed)).toEqual({ answers: [402, 402], left })
  })

  test('does not buy one track at two operators', async () => {
    const { wallet } = await buyer(2_000n)
    const elsewhere = await startNode(`0x${'41'.repeat(20)}`, `0x${'0b'.repeat(32)}`)
    const [here, there] = [await askedAt(server.origin, track), await askedAt(elsewhere.origin, track)]
    expect(here.payTo).not.toBe(there.payTo)
    const asks = [
      [server.origin, track, await signed(wallet, here, nonceOf('02'))],
      [elsewhere.origin, track, await signed(wallet, there, nonceOf('02'))],
    ] as const
    const { answers, left } = await race(wallet, asks)
    expect([...answers].sort()).toEqual([200, 402])
    expect(left).toBe(2_000n - 402n)
    // What pays one operator is nothing to another.
    const crossed = [
      [elsewhere.origin, track, asks[0][2]] as const,
      [server.origin, track, asks[1][2]] as const,
    ]
    expect(await race(wallet, crossed)).toEqual({ answers: [402, 402], left })
  })

  test('is used once by two gateways of one operator, which know nothing of each other', async () => {
    const { wallet } = await buyer(2_000n)
    const twin = await startNode(node, `0x${'0c'.repeat(32)}`)
    const header = await signed(wallet, await askedAt(server.origin, track), nonceOf('03'))
    const asks = [[server.origin, track, header] as const, [twin.origin, track, header] as const]
    const { answers, left } = await race(wallet, asks)
    expect([...answers].sort()).toEqual([200, 402])
    expect(left).toBe(2_000n - 402n)
    expect(await race(wallet, asks)).toEqual({ answers, left })
  })
})
