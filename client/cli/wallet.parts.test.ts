import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { localDollarAbi, streamEscrowAbi } from '@hexachord/contracts/generated'
import { parseAddress, subjectOf } from '@hexachord/protocol/names'
import { paymentDomains } from '@hexachord/protocol/payments'
import type { TermsInForce } from '@hexachord/protocol/rest'
import { signMessage } from '@hexachord/protocol/signing'
import {
  account,
  listener,
  operatorOf,
  recordedTrack,
  startTill,
  subject,
  type TillFixture,
  unitPrice,
} from '@hexachord/sdk/fixtures'
import { type PaidChain, startPaidChain } from '@hexachord/sdk/fixtures/chain'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Contract } from 'ethers'
import { type Cli, type Network, newUser, startNetwork } from './fixtures/index.ts'

jest.setTimeout(120_000)

let chain: PaidChain
let till: TillFixture
let network: Network
let user: Cli

beforeAll(async () => {
  chain = await startPaidChain(60)
  const recorded = await recordedTrack({ seconds: 20 })
  till = await startTill({ ...recorded, subject, unitPrice, network: chain.network })
  const { payments } = chain.network
  const currency = { token: parseAddress(payments.token), decimals: 6 }
  const { address: owner } = account
  const terms: TermsInForce = {
    ...{ version: 1, unitPrice: unitPrice.toString(), nodeBps: 1_500, curatorBps: 300, currency },
    ...{ payees: [{ account: owner, bps: 10_000 }], owner, effectiveAtMs: 0, change: null, paidUnits: '0' },
  }
  network = await startNetwork(recorded, { payments, terms, operators: [operatorOf(till)] })
  user = await newUser({ ...network.env, HEXACHORD_RPC: chain.url })
  await user.giveKey()
  for (const { address } of [account, listener]) {
    await chain.rpc('anvil_setBalance', [address, '0xde0b6b3a7640000'])
  }
  const dollar = new Contract(payments.token, localDollarAbi, await chain.provider.getSigner(0))
  await (await dollar.getFunction('mint')(listener.address, 10_000_000n)).wait()
})

afterAll(async () => {
  await Promise.all([user?.remove(), network?.close(), till?.close(), chain?.close()])
})

async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await user(...args)
  expect({ code, stderr }).toMatchObject({ code: 0 })
  return stdout
}

async function told(...args: string[]) {
  return JSON.parse(await said(...args, '--json'))
}

describe('an artist', () => {
  test('sets a price, which is in force at once, and changes it, which waits', async () => {
    expect(await said('price', subject)).toContain('free: no price was ever set')
    const shares = ['--payee', `${account.address}:7500`, '--payee', `${till.operator}:2500`]
    const set = await said('price', subject, '0.000134', ...shares, '--curator-share', '300')
    expect(set).toContain('0.000134 LUSD per 6 s (terms 1)')
    expect(set).toContain(`${till.operator} 2500 bps`)
    expect(await said('price', subject, '0.0002')).toMatch(
      /from \d{4}-.* UTC on:\nprice {6}0.0002 LUSD per 6 s/,
    )
    expect(await said('price', subject, '--cancel')).not.toContain('UTC on')
  })

  test('sets the price of what is uploaded when it is published', async () => {
    const file = join(user.home, 'song.flac')
    await writeFile(file, 'what a creator node makes of it is up to the fixture')
    const upload = ['upload', file, '--i-hold-the-rights', '--price']
    const { code, stderr } = await user(...upload, '0.0002', '--node-share', '100')
    expect([code, network.actions]).toEqual([2, []])
    expect(stderr).toContain('500 to 4000 basis points')
    const { track } = await told(...upload, '0.0002')
    // The same command again changes nothing.
    await told(...upload, '0.0002')
    expect(await said('price', track)).toMatch(/^price {6}0.0002 LUSD per 6 s \(terms 1\)\n(?!.*UTC)/)
  })

  test('hears of terms that the contract would refuse before anything is sent', async () => {
    const outcome = await user('price', subject, '0.1', '--node-share', '100')
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('500 to 4000 basis points') })
    expect(await user('price', subject, '0.0000001')).toMatchObject({ code: 2 })
    expect(await user('price', subject, '1', '--payee', '0x12:10')).toMatchObject({ code: 2 })
  })

  test('hands tracks on to a new key, since keys rotated in the catalogue own nothing where tracks are paid', async () => {
    const later = await newUser({ ...network.env, HEXACHORD_RPC: chain.url })
    const refused = async (cli: Cli, ...args: string[]) => {
      const { code, stderr } = await cli('price', ...args)
      expect(code).toBe(2)
      return stderr
    }
    try {
      const { address } = JSON.parse((await later('key', 'new', '--json')).stdout)
      await chain.rpc('anvil_setBalance', [address, '0xde0b6b3a7640000'])
      const not = `is not of ${address} but of ${account.address}`
      expect(await refused(later, subject, '0.1')).toContain(`${not}: who owns a track is what TrackRegistry`)
      const unset = subjectOf(account.address, 99n)
      expect(await refused(later, unset, '0.1', '--sign-only')).toContain(
        `${not}: nobody has set terms for it yet, so it is of the first key of its author`,
      )
      expect(await refused(later, subject, '--accept')).toContain(`is not offered to ${address}`)
      expect(await refused(user, unset, '--offer', address)).toContain('set a price first')

      expect(await said('price', subject, '--offer', address)).toContain(`offered    to ${address}`)
      const taken = await later('price', subject, '--accept')
      expect(taken).toMatchObject({ code: 0, stdout: expect.stringContaining(`owner      ${address}`) })
      expect(await refused(user, subject, '0.1')).toContain(`is not of ${account.address} but of ${address}`)
      expect(await later('price', subject, '--offer', account.address)).toMatchObject({ code: 0 })
      expect(await said('price', subject, '--accept')).toContain(`owner      ${account.address}`)
    } finally {
      await later.remove()
    }
  })
})

describe('a listener', () => {
  test('has a wallet that says nothing of who they are', async () => {
    expect(await said('wallet', 'address')).toBe(`${listener.address}\n`)
    expect(listener.address).not.toBe(account.address)
    expect(await said('wallet', 'show')).toContain('deposited  0 LUSD free, 10 LUSD not deposited')
  })

  test('deposits, and sets a budget', async () => {
    expect(await user('wallet', 'deposit', '10.1')).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('the wallet holds 10 LUSD') },
    })
    expect(await told('wallet', 'deposit', '4')).toEqual({ deposited: '4000000', free: '4000000' })
    expect(await said('wallet', 'budget', '--hour', '0.5', '--month', '3')).toContain(
      '0.5 LUSD an hour, 3 LUSD a month; 0.5 LUSD left now',
    )
  })

  test('plays a track that costs something, and sees what it costs', async () => {
    const report = await told('play', subject, '--output', 'null', '--curator', account.address)
    expect(report).toMatchObject({ segmentsPlayed: 4, sources: { [till.origin]: 4 } })
    const total = (4n * unitPrice).toString()
    expect(report.paid).toMatchObject({
      ...{ total, tracks: { [subject]: total }, artists: { [account.address]: total } },
      nodes: { [till.operator]: total },
    })
    expect(till.vouchers.at(-1)?.cumulative).toBe(4n * unitPrice)
  })

  test('pays no more than they said', async () => {
    const outcome = await user('play', subject, '--output', 'null', '--budget', '0.000134')
    expect(outcome).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('the budget does not allow it'),
    })
  })

  test('has receipts, as a table, too', async () => {
    const csv = (await said('wallet', 'receipts', '--csv')).trim().split('\r\n')
    expect(csv[0]).toBe('time,track,unit,node,curator,amount')
    expect(csv[1]).toMatch(new RegExp(`^20.*Z,${subject},\\d,${till.operator},${account.address},0.000134$`))
    expect(csv).toHaveLength(6)
  })

  test('takes back what a node has reserved and not earned, and withdraws it', async () => {
    await reserve(80_400n)
    expect(await said('wallet', 'show')).toContain(
      `0.0804 LUSD for ${till.operator}, 0.00067 LUSD of it owed`,
    )
    // A machine that was given the same words, and has no purse of before.
    const restored = await newUser({ ...network.env, HEXACHORD_RPC: chain.url })
    try {
      await restored.giveKey()
      const shown = await restored('wallet', 'show')
      expect(shown.stdout).toContain(`0.0804 LUSD for ${till.operator}, 0 LUSD of it owed`)
      for (const named of [[], [till.operator]]) {
        const { stdout } = await restored('wallet', 'release', ...named)
        expect(stdout).toContain(named.length === 0 ? '0.0804 LUSD announced' : 'can be taken in')
      }
    } finally {
      await restored.remove()
    }
    await release(0n)
    expect(await said('wallet', 'release')).toContain('0.07973 LUSD announced')
    expect(await said('wallet', 'release')).toContain('can be taken in')
    await chain.rpc('evm_increaseTime', [61])
    await chain.rpc('evm_mine')
    expect(await said('wallet', 'release', till.operator)).toContain('0.07973 LUSD taken back')
    expect(await user('wallet', 'withdraw', account.address, '4')).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('3.99933 LUSD can be withdrawn') },
    })
    expect(await told('wallet', 'withdraw', account.address)).toEqual({
      ...{ withdrawn: (4_000_000n - 5n * unitPrice).toString(), to: account.address },
    })
    expect(await user('wallet', 'withdraw', account.address)).toMatchObject({ code: 2 })
    // What is owed stays for the node, unless its listener says otherwise.
    expect(await said('wallet', 'release')).toContain('all of it is owed for what you heard')
    expect(await user('wallet', 'release', '--all')).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('give --yes') },
    })
    expect(await said('wallet', 'release', '--all', '--yes')).toContain('0.00067 LUSD announced')
    for (const args of [
      ['withdraw', 'me'],
      ['release', '0x12'],
    ]) {
      const outcome = await user('wallet', ...args)
      expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('address') })
    }
  })

  test('needs no node of the chain to play, and learns from the till what another device has signed', async () => {
    const other = await newUser(network.env)
    try {
      await other.giveKey()
      const { code, stdout } = await other('play', subject, '--output', 'null', '--json')
      expect(code).toBe(0)
      const total = (4n * unitPrice).toString()
      expect(JSON.parse(stdout).paid).toMatchObject({ total, token: { decimals: 6 } })
      expect(till.vouchers.at(-1)?.cumulative).toBe(9n * unitPrice)
    } finally {
      await other.remove()
    }
  })

  test('sees receipts, budget and prices without a node of the chain, from the index', async () => {
    const other = await newUser(network.env)
    const saidBy = async (...args: string[]) => {
      const { code, stdout, stderr } = await other(...args)
      expect({ code, stderr }).toMatchObject({ code: 0 })
      return stdout
    }
    try {
      expect(await saidBy('price', subject)).toBe(
        `${[
          'price      0.000134 tokens per 6 s (terms 1)',
          'shares     node 1500 bps, curator 300 bps; of the rest:',
          `payee      ${account.address} 10000 bps`,
          `owner      ${account.address}`,
        ].join('\n')}\n`,
      )
      expect(await other('price', subjectOf(account.address, 99n))).toMatchObject({ code: 3 })
      await other.giveKey()
      await saidBy('wallet', 'budget', '--hour', '0.5')
      expect(await saidBy('wallet', 'show')).toContain('budget     0.5 tokens an hour; 0.5 tokens left now')
      await saidBy('play', subject, '--output', 'null')
      expect(await saidBy('wallet', 'receipts')).toContain(`${subject} unit 0  0.000134 tokens to`)
      expect((await saidBy('wallet', 'receipts', '--csv')).split('\r\n')).toHaveLength(6)
      for (const args of [
        ['wallet', 'deposit', '1'],
        ['wallet', 'release'],
        ['price', subject, '0.1'],
      ]) {
        const outcome = await other(...args)
        expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('this needs --rpc') })
      }
    } finally {
      await other.remove()
    }
  })

  test('hears what costs something by a player of their own, through a bridge that pays and says what', async () => {
    const other = await newUser(network.env)
    try {
      await other.giveKey()
      const bridge = other.start('bridge', subject, '--budget', '0.000134')
      const [, url = '', title] =
        /^(http:\S+) {2}(.*)$/m.exec(await bridge.said(/ {2}Six notes by Guido\n/)) ?? []
      expect(title).toBe('Six notes by Guido')
      const media = await (await fetch(new URL('0.m3u8', url))).text()
      const segments = (media.match(/^[^#].*$/gm) ?? []).map((name) => new URL(name, url))
      const before = till.sold.length
      expect((await fetch(segments[0] ?? url)).status).toBe(200)
      expect(till.sold).toHaveLength(before + 1)
      await bridge.said(/^paid 0\.000134 tokens, 0 tokens of the budget left \(0\.000134 tokens at 0x/m)
      // All of it is spent.
      expect((await fetch(segments[1] ?? url)).status).toBe(402)
      await bridge.said(/does not play: the budget does not allow it/)
      const ended = await bridge.stop('SIGTERM')
      expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/paid 0\.000134 tokens, .*\n$/) })
      await expect(fetch(url)).rejects.toThrow()
    } finally {
      await other.remove()
    }
  })

  test('takes a session key back, for ever', async () => {
    const session = `0x${'5e'.repeat(20)}`
    expect(await user('wallet', 'revoke-session', session)).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('is no session key of') },
    })
    await chain.rpc('anvil_impersonateAccount', [listener.address])
    const signer = await chain.provider.getSigner(listener.address)
    const contract = new Contract(chain.network.payments.streamEscrow, streamEscrowAbi, signer)
    await (await contract.getFunction('authorizeSession')(session, 5n, 2n ** 40n)).wait()
    await chain.rpc('anvil_stopImpersonatingAccount', [listener.address])
    expect(await told('wallet', 'revoke-session', session)).toEqual({ revoked: session, before: false })
    const { revoked } = await contract.getFunction('session')(listener.address, session)
    expect(revoked).toBe(true)
    expect(await said('wallet', 'revoke-session', session)).toBe(`${session} was revoked before\n`)
    expect(await user('wallet', 'revoke-session', '0x5e')).toMatchObject({ code: 2 })
  })

  test('never finds a key in what is printed', async () => {
    const outputs = await Promise.all([user('wallet', 'show', '--json'), user('wallet', 'show')])
    for (const { stdout, stderr } of outputs) {
      expect(stdout + stderr).not.toMatch(/0x[0-9a-f]{64}/)
    }
  })
})

/** Brings a signed reserve to the chain, as a till does. */
async function reserve(total: bigint): Promise<void> {
  const message = { payer: listener.address, node: till.operator, total, deadline: 2n ** 40n }
  const { escrow } = paymentDomains(chain.network)
  const signature = await signMessage(listener.signer, escrow, 'Reserve', message)
  const signer = await chain.provider.getSigner(1)
  const contract = new Contract(chain.network.payments.streamEscrow, streamEscrowAbi, signer)
  const { payer, node, deadline } = message
  await (await contract.getFunction('reserveBySig')(payer, node, total, deadline, signature)).wait()
}

/** Announces that so much of what the till has reserved is wanted back; zero ends what was announced. */
async function release(amount: bigint): Promise<void> {
  await chain.rpc('anvil_impersonateAccount', [listener.address])
  const signer = await chain.provider.getSigner(listener.address)
  const contract = new Contract(chain.network.payments.streamEscrow, streamEscrowAbi, signer)
  await (await contract.getFunction('initiateRelease')(listener.address, till.operator, amount)).wait()
  await chain.rpc('anvil_stopImpersonatingAccount', [listener.address])
}
