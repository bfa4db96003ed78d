import { streamEscrowAbi } from '@hexachord/contracts/generated'
import { type LoadedTrack, renditionName } from '@hexachord/protocol/manifests'
import { type Address, parseAddress, subjectToBytes32 } from '@hexachord/protocol/names'
import { shareOut, splitLine, unitCount } from '@hexachord/protocol/payments'
import type { Track } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { mapPurseMemory } from '@hexachord/sdk/fixtures'
import { createKey, type HeldKey } from '@hexachord/sdk/keys'
import {
  deposit,
  type EscrowReader,
  initiateRelease,
  openPurse,
  ownSpender,
  type Purse,
  paidPlays,
  readEscrow,
  spendingKey,
  termsFromChain,
  type Writing,
  withdraw,
} from '@hexachord/sdk/paying'
import { type OpenedTrack, openTrack, playSegments, TrackLocked } from '@hexachord/sdk/playing'
import { findKeyHolders, giveSecret, premiumUploads, readGates } from '@hexachord/sdk/premium'
import { setTerms } from '@hexachord/sdk/pricing'
import { follow } from '@hexachord/sdk/social'
import { accountPass, rpcPayer } from '@hexachord/sdk/writing'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import {
  Interface,
  type InterfaceAbi,
  JsonRpcProvider,
  type TypedDataDomain,
  type TypedDataField,
  Wallet,
} from 'ethers'
import { type Artist, newArtist } from './artist.ts'
import { makeRecording } from './recordings.ts'

jest.setTimeout(90_000)

const network = testNetwork()
const seconds = 20
/** Three units together cost more than what nodes sell whole for. */
const unitPrice = 5_000n
const shares = { nodeBps: 1_500, curatorBps: 300 }
const payeeBps = [6_667, 3_333]
const escrow = new Interface(streamEscrowAbi as InterfaceAbi)

let folder: TemporaryFolder
let provider: JsonRpcProvider
let artist: Artist
let artistKey: HeldKey
let reader: EscrowReader
let paid: Track
/** The same music as the premium track, to compare with. */
let free: Track
let premium: Track
let keyHolders: Address[]
const [other, curator] = [createKey(), createKey()]

type TypedData = {
  domain: TypedDataDomain
  types: Record<string, TypedDataField[]>
  message: Record<string, unknown>
}

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  provider = new JsonRpcProvider(network.urls.chain, network.chainId, { staticNetwork: true })
  artistKey = createKey()
  artist = await newArtist(network, artistKey)
  const { payments } = artist.connection
  if (payments === undefined) throw new Error('the network has no payments')
  reader = readEscrow(fetch, network.urls.chain, payments)
  await giveGas(artistKey.address)
  const recording = await makeRecording(folder.path, { name: 'paid', seconds, format: 'm4a' })
  paid = (await artist.release(recording, { title: 'Paid' })).track
  await sell(paid)
  const hidden = await makeRecording(folder.path, { name: 'premium', seconds, format: 'flac' })
  free = (await artist.release(hidden, { title: 'Free' })).track
  keyHolders = await findKeyHolders(artist.connection, { count: 2 })
  const upload = await artist.upload(hidden, {
    premium: premiumUploads(artist.connection, artistKey, { keyHolders, clearMs: 6_000 }),
  })
  premium = await artist.publish(upload, { title: 'Premium' })
  await sell(premium)
}, 120_000)
afterAll(async () => {
  provider?.destroy()
  await folder?.remove()
})

async function giveGas(address: string): Promise<void> {
  await provider.send('anvil_setBalance', [address, '0xde0b6b3a7640000'])
}

const writing = (key: HeldKey): Writing => ({ reader, payer: rpcPayer(key, network.urls.chain) })

function sell({ id }: Track): Promise<unknown> {
  const payees = [artistKey.address, other.address]
  return setTerms(writing(artistKey), id, { unitPrice, ...shares, payees, payeeBps })
}

/** Somebody with gas and ten dollars, of which nine lie in the escrow. */
async function newListener(): Promise<{ key: HeldKey; purse: Purse }> {
  const key = spendingKey(createKey())
  await giveGas(key.address)
  const { payer } = writing(key)
  const { token } = artist.connection.payments?.payments ?? {}
  if (token === undefined) throw new Error('the network has no payments')
  const wallet = new Wallet(key.privateKey, provider)
  const mint = new Interface(['function mint(address to, uint256 amount)'])
  const data = mint.encodeFunctionData('mint', [key.address, 10_000_000n])
  await (await wallet.sendTransaction({ to: token, data })).wait()
  await deposit({ reader, payer }, key, 9_000_000n, Date.now())
  const purse = await openPurse({
    ...{ connection: artist.connection, network: artist.connection.payments ?? never() },
    ...{ spender: ownSpender(key), memory: mapPurseMemory(), termsOf: termsFromChain(reader), reader },
    homes: 1,
  })
  return { key, purse }
}

function never(): never {
  throw new Error('the network has no payments')
}

async function heard(opened: OpenedTrack, rendition = 0): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of playSegments(opened, rendition))
    parts.push('init' in part ? part.init : part.bytes)
  return Buffer.concat(parts)
}

/** What an account could withdraw. */
const balance = (address: string) => reader.balanceOf(parseAddress(address))

const unitsOf = (loaded: LoadedTrack) => unitCount(loaded)

describe('a paid track', () => {
  test('plays for a listener with a purse, and pays node, curator and two payees to the last unit', async () => {
    const { key, purse } = await newListener()
    await expect(openTrack(artist.connection, paid).then((opened) => heard(opened))).rejects.toThrow(
      'not free',
    )
    const paying = paidPlays(purse, { curator: curator.address })
    const opened = await openTrack(artist.connection, paid, { paying })
    const file = await heard(opened)
    expect(file.subarray(4, 8).toString()).toBe('ftyp')
    // A change of the rendition costs nothing.
    await heard(opened, opened.loaded.renditions.length - 1)

    const [receipt] = await purse.receipts()
    const node = receipt?.node ?? never()
    const owed = purse.channel(node).cumulative
    expect(owed).toBe(unitPrice * BigInt(unitsOf(opened.loaded)))

    const before = { node: await balance(node), curator: await balance(curator.address) }
    // The node served on a signed reserve, which it may still be relaying.
    const reserved = await eventually(
      async () => (await reader.channel(key.address, key.address, node)).reserved,
      { describe: 'the reserve is mined', deadlineMs: 30_000, until: (now) => now >= owed },
    )
    const available = reserved - owed
    await initiateRelease(writing(key), { key: key.address, node, amount: available })
    const line = { curator: curator.address, amount: owed }
    const split = splitLine(line, shares)
    await eventually(() => balance(node), {
      describe: 'the node has redeemed',
      deadlineMs: 30_000,
      until: (now) => now === before.node + split.node,
    })
    expect(await balance(curator.address)).toBe(before.curator + split.curator)

    const track = subjectToBytes32(paid.id)
    const data = escrow.encodeFunctionData('distribute', [track, 1])
    const to = artist.connection.payments?.payments.streamEscrow ?? never()
    await (await new Wallet(key.privateKey, provider).sendTransaction({ to, data })).wait()
    const [first, second] = shareOut(split.track, 0n, payeeBps)
    expect([await balance(artistKey.address), await balance(other.address)]).toEqual([first, second])

    const rest = await balance(key.address)
    await withdraw(writing(key), key.address, rest)
    expect(await balance(key.address)).toBe(0n)
    expect(await reader.tokenBalanceOf(key.address)).toBe(1_000_000n + rest)
  })

  test('is bought whole by a client of x402 that knows nothing of us', async () => {
    const buyer = Wallet.createRandom()
    const { token } = artist.connection.payments?.payments ?? never()
    const mint = new Interface(['function mint(address to, uint256 amount)'])
    const wallet = new Wallet(artistKey.privateKey, provider)
    const data = mint.encodeFunctionData('mint', [buyer.address, 1_000_000n])
    await (await wallet.sendTransaction({ to: token, data })).wait()
    const signer = {
      address: buyer.address,
      signTypedData: ({ domain, types, message }: TypedData) => buyer.signTypedData(domain, types, message),
    }
    const pay = wrapFetchWithPaymentFromConfig(fetch, {
      schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(signer as never) }],
      // It knows the dollars of real chains by itself.
      spendControls: { allowedAssets: [{ network: `eip155:${network.chainId}`, asset: token }] },
    })
    const [holder] = paid.holders
    const url = `${holder?.endpoint}/audio/${paid.manifest}`
    expect((await fetch(url)).status).toBe(402)
    const response = await pay(url)
    expect(response.status).toBe(200)
    const bytes = Buffer.from(await response.arrayBuffer())
    expect(bytes.subarray(4, 8).toString()).toBe('ftyp')
    const units = BigInt(Math.ceil(paid.durationMs / 6_000))
    expect(await reader.tokenBalanceOf(parseAddress(buyer.address))).toBe(1_000_000n - units * unitPrice)
  })
})

describe('a premium track', () => {
  test('is nobody’s before its key holders have its secret; its preview is everybody’s', async () => {
    const opened = await openTrack(artist.connection, premium)
    expect(opened.loaded.manifest.keyHolders).toEqual(keyHolders)
    const places: number[] = []
    const playing = (async () => {
      for await (const part of playSegments(opened, 0)) if ('index' in part) places.push(part.index)
    })()
    await expect(playing).rejects.toThrow(TrackLocked)
    expect(places.length).toBeGreaterThan(0)
    const { purse } = await newListener()
    const buying = await openTrack(artist.connection, premium, { paying: paidPlays(purse) })
    await expect(heard(buying)).rejects.toThrow('has not been given the secret')
  })

  test('opens for who pays, byte by byte as the free one; the second key holder has its secret from the first', async () => {
    const [first = never()] = keyHolders
    const { given } = await giveSecret(artist.connection, artistKey, premium.id, { keyHolders: [first] })
    expect(given).toEqual([first])
    const { purse } = await newListener()
    const opened = await openTrack(artist.connection, premium, { paying: paidPlays(purse) })
    const clear = await openTrack(artist.connection, free)
    for (const index of opened.loaded.renditions.keys()) {
      expect(renditionName(opened.loaded, index)).toBe(renditionName(clear.loaded, index))
      expect((await heard(opened, index)).equals(await heard(clear, index))).toBe(true)
    }
    const receipts = await purse.receipts()
    const spent = receipts.reduce((sum, { amount }) => sum + amount, 0n)
    const hidden = unitsOf(opened.loaded) - 1
    expect(spent).toBe(unitPrice * BigInt(hidden))
    expect(keyHolders).toContain(receipts[0]?.node)
  })

  test('has a playlist with keys at its key holders, and is no file', async () => {
    const { endpoint } = premium.holders.find(({ operator }) => keyHolders.includes(operator)) ?? never()
    const name = renditionName(await loaded(), 0)
    const text = await (await fetch(`${endpoint}/hls/${premium.manifest}/${name}.m3u8`)).text()
    expect(text).toContain(`#EXT-X-KEY:METHOD=AES-128,URI="../../premium/${premium.id}/keys/`)
    const elsewhere = { keyHolders: [other.address] }
    const { refused } = await giveSecret(artist.connection, artistKey, premium.id, elsewhere)
    expect(refused).toEqual([{ operator: other.address, reason: `it is no key holder of ${premium.id}` }])
    const key = await fetch(`${endpoint}/premium/${premium.id}/keys/${premium.manifest}/0/5`)
    expect(key.status).toBe(402)
    expect((await fetch(`${endpoint}/audio/${premium.manifest}`)).status).toBe(403)
  })

  test('is never made of one that was free: what everybody has heard stays so', async () => {
    const file = await makeRecording(folder.path, { name: 'too late', seconds: 8, format: 'flac' })
    const again = artist.upload(file, {
      subject: free.id,
      premium: premiumUploads(artist.connection, artistKey, { keyHolders }),
    })
    await expect(again).rejects.toMatchObject({ status: 409, problem: 'urn:hexachord:problem:already-free' })
  })

  const loaded = async () => (await openTrack(artist.connection, premium)).loaded
})

describe('a premium track for followers', () => {
  test('is heard by a follower, who pays nothing; a stranger hears why not, and pays nothing either', async () => {
    const hidden = await makeRecording(folder.path, { name: 'followers', seconds: 8, format: 'flac' })
    const upload = await artist.upload(hidden, {
      premium: premiumUploads(artist.connection, artistKey, { keyHolders }),
    })
    const track = await artist.publish(upload, { title: 'For followers' })
    const gate = { kind: 'follower' } as const
    const { given } = await giveSecret(artist.connection, artistKey, track.id, { keyHolders, gate })
    expect(given.toSorted()).toEqual(keyHolders.toSorted())
    const gates = await readGates(artist.connection, track.id, { keyHolders })
    const atMs = expect.any(Number)
    expect(gates).toEqual(keyHolders.map((operator) => ({ operator, gate, atMs })))

    const [follower, stranger] = [createKey(), createKey()]
    const hear = async (account?: HeldKey, paying?: ReturnType<typeof paidPlays>) => {
      const pass = account && accountPass(artist.connection, account)
      return heard(await openTrack(artist.connection, track, { pass, paying }))
    }
    await expect(hear()).rejects.toThrow('opens only with keys')
    await expect(hear(stranger)).rejects.toThrow(`only those who follow ${artistKey.address} have the keys`)
    await follow(artist.connection, follower, artistKey.address)
    const open = async () => (await hear(follower)).subarray(4, 8).toString()
    await eventually(() => open().catch((error: Error) => error.message), {
      describe: 'key holders have read of the follower',
      deadlineMs: 30_000,
      until: (outcome) => outcome === 'ftyp',
    })

    await sell(track)
    const { purse } = await newListener()
    await expect(hear(stranger, paidPlays(purse))).rejects.toThrow('those who follow')
    expect(await purse.receipts()).toEqual([])
    await hear(follower, paidPlays(purse))
    expect((await purse.receipts()).length).toBeGreaterThan(0)
  })
})
