import { localDollarAbi, streamEscrowAbi, trackRegistryAbi } from '@hexachord/contracts/generated'
import { subjectOf } from '@hexachord/protocol/names'
import { paymentDomains } from '@hexachord/protocol/payments'
import { signMessage } from '@hexachord/protocol/signing'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Contract, type Fragment, FunctionFragment, Interface } from 'ethers'
import { type PaidChain, startPaidChain } from '../fixtures/chain/index.ts'
import { createKey, type HeldKey, keyFromWords } from '../keys/index.ts'
import { cancelChange, readPrice, sendTerms, setTerms, signTerms } from '../pricing/index.ts'
import { rpcPayer } from '../writing/index.ts'
import { escrowInterface, tokenInterface, tracksInterface } from './escrow-reader.ts'
import {
  authorizeSpending,
  deposit,
  depositAuthorized,
  type EscrowReader,
  finalizeRelease,
  formatAmount,
  initiateRelease,
  parseAmount,
  readEscrow,
  sendAuthorization,
  signDeposit,
  spendingKey,
  termsFromChain,
  type Writing,
  withdraw,
} from './index.ts'

jest.setTimeout(60_000)

const releaseSeconds = 60
const artist = keyFromWords('test test test test test test test test test test test junk')
const listener = spendingKey(artist)
const node = createKey().address
const track = subjectOf(artist.address, 1n)
const terms = {
  ...{ unitPrice: 134n, nodeBps: 1_500, curatorBps: 300 },
  ...{ payees: [artist.address, node], payeeBps: [6_667, 3_333] },
}

let chain: PaidChain
let reader: EscrowReader

beforeAll(async () => {
  chain = await startPaidChain(releaseSeconds)
  reader = readEscrow(fetch, chain.url, chain.network)
  await give(listener)
})
afterAll(() => chain?.close())

/** Money for gas, and ten dollars. */
async function give({ address }: HeldKey): Promise<void> {
  await chain.rpc('anvil_setBalance', [address, '0xde0b6b3a7640000'])
  const dollar = new Contract(chain.network.payments.token, localDollarAbi, await chain.provider.getSigner(0))
  await (await dollar.getFunction('mint')(address, 10_000_000n)).wait()
}

const by = (key: HeldKey): Writing => ({ reader, payer: rpcPayer(key, chain.url) })

/** Brings a signed reserve to the chain, as a till does. */
async function reserve(key: HeldKey, payer: `0x${string}`, total: bigint): Promise<void> {
  const message = { payer, node, total, deadline: 2n ** 40n }
  const signature = await signMessage(key.signer, paymentDomains(chain.network).escrow, 'Reserve', message)
  const escrow = new Contract(
    chain.network.payments.streamEscrow,
    streamEscrowAbi,
    await chain.provider.getSigner(1),
  )
  await (await escrow.getFunction('reserveBySig')(payer, node, total, message.deadline, signature)).wait()
}

describe('a wallet', () => {
  test.each<[string, Interface, readonly (string | object)[]]>([
    ['escrow', escrowInterface, streamEscrowAbi],
    ['token', tokenInterface, localDollarAbi],
    ['registry of tracks', tracksInterface, trackRegistryAbi],
  ])('calls functions that the %s has', (_, ours, abi) => {
    const theirs = new Interface(abi as never)
    const isFunction = (fragment: Fragment) => fragment instanceof FunctionFragment
    for (const fragment of ours.fragments.filter(isFunction)) {
      expect(theirs.getFunction(fragment.format())?.format('sighash')).toBe(fragment.format('sighash'))
    }
  })

  test('deposits by one transaction where the token takes permits', async () => {
    const before = await chain.provider.getTransactionCount(listener.address)
    await deposit(by(listener), listener, 4_000_000n, Date.now())
    expect(await chain.provider.getTransactionCount(listener.address)).toBe(before + 1)
    expect(await reader.balanceOf(listener.address)).toBe(4_000_000n)
    expect(await reader.tokenBalanceOf(listener.address)).toBe(6_000_000n)
  })

  test('deposits by an approval where it does not', async () => {
    const plain = {
      ...reader,
      view: (...args: Parameters<EscrowReader['view']>) =>
        args[2] === 'nonces' ? Promise.resolve(undefined) : reader.view(...args),
    }
    await deposit({ ...by(listener), reader: plain }, listener, 1_000_000n, Date.now())
    expect(await reader.balanceOf(listener.address)).toBe(5_000_000n)
  })

  test('lets somebody else bring its money in', async () => {
    const poor = createKey()
    await give(poor)
    await chain.rpc('anvil_setBalance', [poor.address, '0x0'])
    const signed = await signDeposit(reader, poor, { account: poor.address, amount: 700n, nowMs: Date.now() })
    await depositAuthorized(by(listener), signed)
    expect(await reader.balanceOf(poor.address)).toBe(700n)
  })

  test('takes back what a node has reserved, after the time that it waits', async () => {
    await reserve(listener, listener.address, 80_400n)
    const key = listener.address
    const ours = () => reader.channel(key, key, node)
    expect(await ours()).toMatchObject({ reserved: 80_400n, settled: 0n, released: 0n })
    await initiateRelease(by(listener), { key, node, amount: 80_400n })
    await expect(finalizeRelease(by(listener), { key, node })).rejects.toThrow('would refuse')
    await chain.rpc('evm_increaseTime', [releaseSeconds + 1])
    await chain.rpc('evm_mine')
    await finalizeRelease(by(listener), { key, node })
    expect(await ours()).toMatchObject({ released: 80_400n, releasing: 0n })
    expect(await reader.balanceOf(key)).toBe(5_000_000n)
  })

  test('withdraws what is free', async () => {
    const to = createKey().address
    await withdraw(by(listener), to, 5_000_000n)
    expect(await reader.tokenBalanceOf(to)).toBe(5_000_000n)
    await expect(withdraw(by(listener), to, 1n)).rejects.toMatchObject({ name: 'PaymentFailed' })
  })

  test('pays by a session key that an account has authorized', async () => {
    const session = createKey()
    await give(artist)
    await deposit(by(artist), artist, 50_000n, Date.now())
    const { escrow } = paymentDomains(chain.network)
    const limits = { key: session.address, cap: 40_000n, expiry: Math.floor(Date.now() / 1000) + 86_400 }
    await sendAuthorization(by(listener), await authorizeSpending(artist, escrow, limits))
    await reserve(session, artist.address, 40_000n)
    expect(await reader.channel(artist.address, session.address, node)).toMatchObject({ reserved: 40_000n })
    await expect(reserve(session, artist.address, 40_001n)).rejects.toThrow()
  })

  test('says amounts in whole tokens', async () => {
    const token = await reader.token()
    expect(token).toMatchObject({ symbol: 'LUSD', decimals: 6 })
    expect([formatAmount(1_500_000n, token), formatAmount(134n, token)]).toEqual([
      '1.5 LUSD',
      '0.000134 LUSD',
    ])
    expect(parseAmount('0.000134', token)).toBe(134n)
    expect(() => parseAmount('0.0000001', token)).toThrow('more than the 6 decimals')
    expect(() => parseAmount('-1', token)).toThrow('no amount')
  })
})

describe('a price', () => {
  test('is set by the artist, and is in force at once the first time', async () => {
    expect(await readPrice(reader, track)).toEqual({
      owner: artist.address,
      inForce: undefined,
      change: undefined,
    })
    await setTerms(by(artist), track, terms)
    expect(await readPrice(reader, track)).toEqual({
      ...{ owner: artist.address, inForce: { version: 1, terms }, change: undefined },
    })
    await expect(termsFromChain(reader)(track)).resolves.toMatchObject({ unitPrice: 134n, nodeBps: 1_500 })
  })

  test('waits when it is changed, by whoever sends what the artist has signed, and can be taken back', async () => {
    const raised = { ...terms, unitPrice: 200n }
    const signed = await signTerms(reader, artist, track, { terms: raised, nowMs: Date.now() })
    await sendTerms(by(listener), signed)
    const { inForce, change } = await readPrice(reader, track)
    expect([inForce?.terms.unitPrice, change?.terms.unitPrice, change?.version]).toEqual([134n, 200n, 2])
    await expect(sendTerms(by(listener), signed)).rejects.toMatchObject({ name: 'PaymentFailed' })
    await cancelChange(by(artist), track)
    expect((await readPrice(reader, track)).change).toBeUndefined()
  })

  test('is refused before anything is sent when the contract would not take it', async () => {
    await expect(setTerms(by(artist), track, { ...terms, nodeBps: 100 })).rejects.toMatchObject({
      fault: 'TrackNodeShareOutOfBounds',
    })
    await expect(setTerms(by(listener), track, terms)).rejects.toMatchObject({ name: 'PaymentFailed' })
  })
})
