import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { streamEscrowAbi } from '@hexachord/contracts/generated'
import { readNetworkFile } from '@hexachord/contracts/networks'
import { type Address, parseAddress, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { shareOut, splitLine } from '@hexachord/protocol/payments'
import type { Track } from '@hexachord/protocol/rest'
import { domainOf, type Signer } from '@hexachord/protocol/signing'
import { blocksPath, createNodeToken } from '@hexachord/protocol/tokens'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { findTrack, loadManifest } from '@hexachord/sdk/finding'
import { createKey } from '@hexachord/sdk/keys'
import { type EscrowReader, readEscrow } from '@hexachord/sdk/paying'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Interface, type InterfaceAbi, JsonRpcProvider, Wallet } from 'ethers'
import { connectTo } from './artist.ts'
import { type HexachordCommand, hexachordCommand } from './hexachord-command.ts'
import { makeRecording } from './recordings.ts'

jest.setTimeout(120_000)

const network = testNetwork()
const rpc = ['--rpc', network.urls.chain]
/** 0.005 dollars for six seconds. */
const unitPrice = 5_000n
const shares = { nodeBps: 1_500, curatorBps: 300 }
const payeeBps = [6_667, 3_333]
const [other, curator] = [createKey().address, createKey().address]
/** Three of six seconds and what is left of twenty, of which the first of the encrypted track are for everybody. */
const units = { paid: 4n, premium: 3n }

let folder: TemporaryFolder
let provider: JsonRpcProvider
let reader: EscrowReader
let escrow: Address
let token: Address
let artist: Address
let listener: HexachordCommand
let wallet: Address
let paid: Subject
let premium: Subject

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  provider = new JsonRpcProvider(network.urls.chain, network.chainId, { staticNetwork: true })
  const { payments } = await connectTo(network)
  if (payments === undefined) throw new Error('the network has no payments')
  reader = readEscrow(fetch, network.urls.chain, payments)
  escrow = parseAddress(payments.payments.streamEscrow)
  token = parseAddress(payments.payments.token)

  const seller = await hexachordCommand(network, folder.path)
  artist = (await seller.answer<{ address: Address }>('key', 'new')).address
  await provider.send('anvil_setBalance', [artist, '0xde0b6b3a7640000'])
  const publish = async (name: string, format: 'm4a' | 'flac', ...args: string[]) => {
    const file = await makeRecording(folder.path, { name, seconds: 20, format })
    const said = ['--artist', 'Shell', '--licence', 'CC0-1.0', '--i-hold-the-rights']
    const payees = [artist, other].flatMap((payee, at) => ['--payee', `${payee}:${payeeBps[at]}`])
    const bps = ['--node-share', String(shares.nodeBps), '--curator-share', String(shares.curatorBps)]
    const terms = ['--price', '0.005', ...payees, ...bps, ...rpc]
    const { track } = await seller.answer<{ track: Subject }>('upload', file, ...said, ...terms, ...args)
    return track
  }
  paid = await publish('sold', 'm4a')
  premium = await publish('hidden', 'flac', '--premium', '--preview', '6')

  const home = path.join(folder.path, 'listener')
  listener = await hexachordCommand(network, home)
  await listener.answer('key', 'new')
  wallet = (await listener.answer<{ address: Address }>('wallet', 'address')).address
  await provider.send('anvil_setBalance', [wallet, '0xde0b6b3a7640000'])
  const mint = new Interface(['function mint(address to, uint256 amount)'])
  await send(token, mint.encodeFunctionData('mint', [wallet, 10_000_000n]))
}, 120_000)
afterAll(async () => {
  provider?.destroy()
  await folder?.remove()
})

async function send(to: Address, data: string): Promise<void> {
  const somebody = Wallet.createRandom(provider)
  await provider.send('anvil_setBalance', [somebody.address, '0xde0b6b3a7640000'])
  await (await somebody.sendTransaction({ to, data })).wait()
}

describe('a listener with the command', () => {
  const deposited = 9_000_000n
  const hear = (track: Subject, ...args: string[]) =>
    ['play', track, '--output', 'null', '--curator', curator, ...args, ...rpc] as const

  test('deposits, and hears both tracks for their price, which a terminal shows while they play', async () => {
    await listener.answer('wallet', 'deposit', '9', ...rpc)
    const shown = await listener.runInTerminal(...hear(paid, '--budget', '0.5'))
    expect(shown.code).toBe(0)
    expect(shown.out).toMatch(
      /playing .* 4 of 4 {2}paid 0.02 LUSD, 0.48 LUSD of the budget left \(0.02 LUSD at 0x/,
    )
    const total = String(units.premium * unitPrice)
    expect(await listener.answer(...hear(premium))).toMatchObject({
      ...{ hashFailures: 0, segmentsPlayed: 4 },
      paid: { total, tracks: { [premium]: total }, artists: { [artist]: total } },
    })
  })

  test.each([
    ['a budget that is no amount', ['--budget', 'much'], 2, 'amount'],
    ['a budget that is less than nothing', ['--budget', '-1'], 2, 'amount'],
    ['a curator that is nobody', ['--curator', 'me'], 2, 'address'],
    ['a budget that is too small', ['--budget', '0.004'], 5, 'the budget does not allow it'],
    ['a node of the chain that is away', ['--rpc', 'http://127.0.0.1:9'], 4, '127.0.0.1:9'],
  ])('hears what is wrong with %s, and pays nothing', async (_, args, code, words) => {
    const before = await receipts()
    const ended = await listener.run(...hear(paid), ...args)
    expect(ended).toMatchObject({ code, err: expect.stringContaining(words) })
    expect(ended.err).not.toMatch(/\n\s+at /)
    expect(await receipts()).toEqual(before)
  })

  test('has paid two payees, curator and nodes to the last unit, and takes the rest back', async () => {
    const paidFor = await receipts()
    const ofTrack = (track: Subject) => paidFor.filter((receipt) => receipt.track === track)
    expect([ofTrack(paid).length, ofTrack(premium).length].map(BigInt)).toEqual([units.paid, units.premium])
    const nodes = [...new Set(paidFor.map(({ node }) => node))]
    const before = await balancesOf([...nodes, curator, artist, other])
    // Of a reserve that is to be taken back a node redeems what it has earned.
    for (const node of nodes) {
      await eventually(async () => (await reader.channel(wallet, wallet, node)).reserved, {
        ...{ describe: 'the reserve is mined', deadlineMs: 30_000 },
      })
    }
    const { released } = await listener.answer<{ released: string[] }>('wallet', 'release', ...rpc)
    expect(released.filter((line) => line.includes('announced'))).toHaveLength(nodes.length)

    const expected = new Map(before)
    const grow = (account: Address, amount: bigint) =>
      expected.set(account, (expected.get(account) ?? 0n) + amount)
    for (const track of [paid, premium]) {
      let earned = 0n
      for (const node of nodes) {
        const of = ofTrack(track).filter((receipt) => receipt.node === node)
        const amount = of.reduce((sum, receipt) => sum + BigInt(receipt.amount), 0n)
        const split = splitLine({ curator, amount }, shares)
        grow(node, split.node)
        grow(curator, split.curator)
        earned += split.track
      }
      for (const [at, amount] of shareOut(earned, 0n, payeeBps).entries()) {
        grow([artist, other][at] ?? artist, amount)
      }
    }
    await eventually(() => balancesOf(nodes), {
      describe: 'the nodes have redeemed',
      deadlineMs: 30_000,
      until: (now) => nodes.every((node) => now.get(node) === expected.get(node)),
    })
    const escrowOf = new Interface(streamEscrowAbi as InterfaceAbi)
    for (const track of [paid, premium]) {
      await send(escrow, escrowOf.encodeFunctionData('distribute', [subjectToBytes32(track), 1]))
    }
    expect(await balancesOf([...before.keys()])).toEqual(expected)

    const to = parseAddress(Wallet.createRandom().address)
    const rest = await reader.balanceOf(wallet)
    expect(await listener.answer('wallet', 'withdraw', to, ...rpc)).toEqual({ withdrawn: String(rest), to })
    expect([await reader.tokenBalanceOf(to), await reader.balanceOf(wallet)]).toEqual([rest, 0n])
    let reserved = 0n
    for (const node of nodes) reserved += (await reader.channel(wallet, wallet, node)).reserved
    expect(rest + reserved).toBe(deposited)
  })

  type Receipt = { track: Subject; node: Address; amount: string }
  const receipts = async () =>
    (await listener.answer<{ receipts: Receipt[] }>('wallet', 'receipts', ...rpc)).receipts

  async function balancesOf(accounts: readonly Address[]): Promise<Map<Address, bigint>> {
    const balances = accounts.map(async (account) => [account, await reader.balanceOf(account)] as const)
    return new Map(await Promise.all(balances))
  }
})

describe('a block that costs something', () => {
  let segment: string
  beforeAll(async () => {
    const connection = await connectTo(network)
    const track: Track = await findTrack(connection, paid)
    const { renditions } = await loadManifest(connection, track)
    segment = renditions[0]?.segments[1]?.[2]['/'] ?? ''
  })

  test.each(network.operators)(
    'is nobody’s for nothing at $name who only says to be of the network',
    async (node) => {
      const anybody = await ask(node.endpoint, undefined)
      expect(anybody.status).toBe(402)
      const hotKey = await hotKeyOf('content-service-1')
      const [at, elsewhere] = [node.endpoint, 'http://127.0.0.1:1']
      const claims = {
        'a key that nobody has registered': await tokenFor(at, Wallet.createRandom()),
        'what was signed for another node': await tokenFor(elsewhere, hotKey),
        'what was signed for something else': await tokenFor(at, hotKey, '/archives'),
        'what has expired': await tokenFor(at, hotKey, blocksPath, -120_000),
        'no signature': 'Hexachord bm9uZQ',
      }
      for (const [claim, token] of Object.entries(claims)) {
        for (const format of ['raw', 'car']) {
          const { status } = await ask(node.endpoint, token, format)
          expect([claim, format, status]).toEqual([claim, format, 402])
        }
      }
    },
  )

  test.each(network.operators)('is given by $name to an operator for nothing, and counted', async (node) => {
    const [asking] = network.operators.filter(({ name }) => name !== node.name).slice(-1)
    if (asking === undefined) throw new Error('nobody else is there')
    const before = await fetchedBy(asking.address, node.endpoint)
    const given = await ask(node.endpoint, await tokenFor(node.endpoint, await hotKeyOf(asking.name)))
    expect(given.status).toBe(200)
    const bytes = (await given.arrayBuffer()).byteLength
    expect(bytes).toBeGreaterThan(10_000)
    expect(await fetchedBy(asking.address, node.endpoint)).toBe(before + bytes)
  })

  const ask = (endpoint: string, authorization: string | undefined, format = 'raw') =>
    fetch(`${endpoint}/ipfs/${segment}?format=${format}`, {
      headers: authorization === undefined ? {} : { authorization },
    })

  async function hotKeyOf(name: string): Promise<Wallet> {
    return new Wallet(
      (await readFile(path.join(network.directory, 'keys', `${name}.hot.key`), 'utf8')).trim(),
    )
  }

  async function tokenFor(
    audience: string,
    key: Signer,
    path = blocksPath,
    lifeMs = 30_000,
  ): Promise<string> {
    const domain = domainOf(await readNetworkFile(network.networkFile))
    return createNodeToken(key, domain, { audience, method: 'GET', path, expiresAt: Date.now() + lifeMs })
  }

  /** Bytes of tracks that cost something, as the node counts them. */
  async function fetchedBy(operator: string, endpoint: string): Promise<number> {
    const { till } = (await (await fetch(`${endpoint}/status`)).json()) as {
      till: { peers: { operator: string; paidBytes: number }[] }
    }
    return till.peers.find((peer) => peer.operator === operator.toLowerCase())?.paidBytes ?? 0
  }
})
