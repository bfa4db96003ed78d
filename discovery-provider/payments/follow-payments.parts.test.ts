import { localDollarAbi, streamEscrowAbi, trackRegistryAbi } from '@hexachord/contracts/generated'
import { type ChainReader, createChainReader } from '@hexachord/platform/chain'
import { createMetrics } from '@hexachord/platform/process'
import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { type Line, packLines, paymentDomains } from '@hexachord/protocol/payments'
import { signMessage } from '@hexachord/protocol/signing'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { Contract, id, type JsonRpcSigner, Wallet, ZeroAddress } from 'ethers'
import { type AnvilNetwork, startAnvilNetwork } from '../fixtures/anvil-network.ts'
import { createTestDatabase, quiet, type TestDatabase } from '../fixtures/database.ts'
import { eventually } from '../fixtures/eventually.ts'
import { createPaymentFollower } from './follow-payments.ts'

// A chain of its own on a machine that does other things as well.
jest.setTimeout(60_000)

let chain: AnvilNetwork
let payments: NonNullable<AnvilNetwork['file']['payments']>
let reader: ChainReader
let database: TestDatabase
let people: Record<'treasury' | 'node' | 'artist' | 'band' | 'curator', JsonRpcSigner>

beforeAll(async () => {
  chain = await startAnvilNetwork({ releaseSeconds: 60 })
  if (chain.file.payments === undefined) throw new Error('the network has payments')
  payments = chain.file.payments
  reader = createChainReader({ rpcUrls: [chain.anvil.url] })
  database = await createTestDatabase()
  const [treasury, node, artist, band, curator] = await Promise.all(
    [0, 2, 6, 7, 8].map((index) => chain.anvil.provider.getSigner(index)),
  )
  if (!treasury || !node || !artist || !band || !curator) throw new Error('anvil has ten accounts')
  people = { treasury, node, artist, band, curator }
})
afterAll(async () => {
  await reader.close()
  await chain.anvil.close()
  await database.drop()
})

const lower = ({ address }: { address: string }) => address.toLowerCase() as Address
const escrow = () => new Contract(payments.streamEscrow, streamEscrowAbi, chain.anvil.provider)

/** Sends a transaction and mines it, in a block of its own. */
async function send(from: JsonRpcSigner, to: string, abi: object, name: string, ...args: unknown[]) {
  const contract = new Contract(to, abi as never)
  const data = contract.interface.encodeFunctionData(name, args)
  const hash = await chain.anvil.rpc('eth_sendTransaction', [
    { from: from.address, to, data, gas: '0x4c4b40' },
  ])
  await chain.anvil.mine()
  const receipt = (await chain.anvil.rpc('eth_getTransactionReceipt', [hash])) as { status: string }
  expect([name, receipt.status]).toEqual([name, '0x1'])
}

const listeners = ['Ut', 'Re', 'Mi'].map((name) => new Wallet(id(name)))
const settled = new Map<Wallet, bigint>()

async function claimOf(listener: Wallet, items: readonly Line[]) {
  const base = settled.get(listener) ?? 0n
  const cumulative = base + items.reduce((sum, { amount }) => sum + amount, 0n)
  settled.set(listener, cumulative)
  const lines = packLines(items)
  const message = { payer: lower(listener), node: lower(people.node), base, cumulative, lines }
  const { escrow: domain } = paymentDomains({ chainId: chain.file.chainId, payments })
  return {
    payer: listener.address,
    ...{ base, cumulative, lines },
    signature: await signMessage(listener, domain, 'Voucher', message),
  }
}

async function redeem(...listened: [Wallet, readonly Line[]][]): Promise<void> {
  const claims = await Promise.all(listened.map(([listener, lines]) => claimOf(listener, lines)))
  await send(people.node, payments.streamEscrow, streamEscrowAbi, 'redeem', people.node.address, claims)
}

/** Follows until it is stopped, as a process would. */
function follow(): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const follower = createPaymentFollower({
    ...{ postgres: database.postgres, reader, network: chain.file, metrics: createMetrics('test') },
    ...{ logger: quiet, pollMs: 20 },
  })
  const following = follower.follow(stopping.signal)
  return {
    async stop() {
      stopping.abort()
      await following
    },
  }
}

async function caughtUp(): Promise<void> {
  const head = await reader.head()
  await eventually(
    async () =>
      (await database.postgres.query('SELECT hash FROM payment_block ORDER BY number DESC LIMIT 1')).rows[0],
    (row) => row?.hash === head.hash,
  )
}

async function sum(text: string): Promise<bigint> {
  const { rows } = await database.postgres.query<{ sum: string | null }>(text)
  return BigInt(rows[0]?.sum ?? 0)
}

/** To the unit: what the books say, and what the contract holds. */
async function expectAsOnChain(): Promise<void> {
  for (const [name, who] of Object.entries({
    curator: people.curator,
    artist: people.artist,
    band: people.band,
  })) {
    const credited = await sum(`SELECT sum(distributed) FROM income WHERE account = '${lower(who)}'`)
    expect([name, credited]).toEqual([name, await escrow().getFunction('balanceOf')(who.address)])
  }
  const ofNode = await sum(`SELECT sum(earned) FROM operator_income WHERE operator = '${lower(people.node)}'`)
  expect(ofNode).toBe(await escrow().getFunction('balanceOf')(people.node.address))
  for (const track of tracks()) {
    const [total, distributed] = await escrow().getFunction('earnedBy')(subjectToBytes32(track), 1)
    const where = `FROM track_income WHERE track = '${track}' AND version = 1`
    expect([
      await sum(`SELECT earned AS sum ${where}`),
      await sum(`SELECT distributed AS sum ${where}`),
    ]).toEqual([total, distributed])
  }
}

const tracks = () => [1n, 2n].map((number) => subjectOf(lower(people.artist), number))

test('books of a real chain are those of the contract to the unit, through reorganisations and restarts', async () => {
  const { treasury, node, artist, band, curator } = people
  const [first, second] = tracks().map(subjectToBytes32)
  if (first === undefined || second === undefined) throw new Error('there are two tracks')
  const free = 10n ** 9n
  await send(treasury, payments.token, localDollarAbi, 'mint', treasury.address, free * 3n)
  await send(treasury, payments.token, localDollarAbi, 'approve', payments.streamEscrow, free * 3n)
  const terms = [134n, 1_507, 333, [artist.address, band.address], [6_667, 3_333]]
  for (const track of [first, second]) {
    await send(artist, payments.trackRegistry, trackRegistryAbi, 'setTerms', track, terms)
  }
  const { escrow: domain } = paymentDomains({ chainId: chain.file.chainId, payments })
  for (const listener of listeners) {
    await send(treasury, payments.streamEscrow, streamEscrowAbi, 'depositFor', listener.address, free)
    const message = { payer: lower(listener), node: lower(node), total: free, deadline: 2n ** 40n }
    const signature = await signMessage(listener, domain, 'Reserve', message)
    const reserve = [listener.address, node.address, free, message.deadline, signature]
    await send(node, payments.streamEscrow, streamEscrowAbi, 'reserveBySig', ...reserve)
  }
  const [ut, re, mi] = listeners as [Wallet, Wallet, Wallet]
  const nobody = ZeroAddress as Address
  const line = (track: string, amount: bigint, by: Address = nobody): Line => ({
    track: track as Line['track'],
    ...{ amount, curator: by },
  })

  let following = follow()
  await redeem([ut, [line(first, 1_341n), line(second, 7n, lower(curator))]], [re, [line(first, 99_999n)]])
  await caughtUp()
  await expectAsOnChain()
  await send(treasury, payments.streamEscrow, streamEscrowAbi, 'distribute', first, 1)
  await redeem([mi, [line(second, 4_021n, lower(curator))]])
  await caughtUp()
  await expectAsOnChain()

  // The last two blocks, a distribution and a redemption, are replaced by others.
  const replaced = settled.get(mi)
  await chain.anvil.rpc('anvil_reorg', [2, []])
  settled.set(mi, (replaced ?? 0n) - 4_021n)
  await chain.anvil.mine()
  await caughtUp()
  await expectAsOnChain()
  expect(await sum('SELECT sum(distributed) FROM track_income')).toBe(0n)
  await redeem([mi, [line(first, 53n, lower(curator))]])
  await caughtUp()
  await expectAsOnChain()

  // The same while nobody looks.
  await redeem([mi, [line(second, 777n)]])
  await caughtUp()
  await following.stop()
  await chain.anvil.rpc('anvil_reorg', [1, []])
  settled.set(mi, 53n)
  await redeem([mi, [line(second, 1_001n, lower(curator))]])
  await send(treasury, payments.streamEscrow, streamEscrowAbi, 'distribute', second, 1)
  await send(treasury, payments.streamEscrow, streamEscrowAbi, 'distribute', first, 1)
  following = follow()
  await caughtUp()
  await expectAsOnChain()
  await chain.anvil.mine(6)
  await caughtUp()
  // What is final needs no undo.
  expect(await sum('SELECT count(*)::text AS sum FROM payment_entry')).toBe(0n)
  await following.stop()

  // 1,341 + 7 + 99,999 + 53 + 1,001 units of money, all of it somebody's.
  const paid = 102_401n
  expect(await sum('SELECT sum(paid) FROM track_income')).toBe(paid)
  const everybody = await sum('SELECT sum(earned) FROM income')
  expect(everybody + (await sum('SELECT sum(earned) FROM operator_income'))).toBe(paid)
  const { rows } = await database.postgres.query('SELECT decimals, token FROM payment_checkpoint')
  expect(rows).toEqual([{ decimals: 6, token: payments.token.toLowerCase() }])
})
