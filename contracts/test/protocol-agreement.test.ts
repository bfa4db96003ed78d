import {
  actData,
  actedFragment,
  actFragment,
  actionHash,
  decodeActed,
  openAction,
  signAction,
} from '@hexachord/protocol/actions'
import { parseAddress, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import {
  type ChainLog,
  decodeOperatorLog,
  operatorEventFragments,
  operatorsAt,
} from '@hexachord/protocol/operators'
import { domainOf } from '@hexachord/protocol/signing'
import { expect } from 'chai'
import { EventFragment, FunctionFragment, Interface, Wallet, ZeroAddress } from 'ethers'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { catalogAbi, operatorRegistryAbi, stakeVaultAbi } from '../generated/index.ts'
import { as, chain, type LocalNetwork, localNetwork, minimumStakeWei } from './support/local-network.ts'

const { loadFixture, takeSnapshot } = chain.networkHelpers

describe('the protocol and the contracts', () => {
  it('describe the same events', () => {
    const compiled = [catalogAbi, operatorRegistryAbi, stakeVaultAbi].flatMap((abi) =>
      new Interface(abi).fragments.filter((fragment) => fragment instanceof EventFragment),
    )
    const signatures = compiled.map((fragment) => fragment.format('full'))
    for (const fragment of [actedFragment, ...operatorEventFragments]) {
      expect(signatures).to.include(EventFragment.from(fragment).format('full'))
    }
  })

  it('describe the same way to put an action onto the chain', () => {
    const compiled = new Interface(catalogAbi).getFunction('act')
    expect(FunctionFragment.from(actFragment).format('full')).to.equal(compiled?.format('full'))
  })

  it('agree on who signed an action and how it is named', async () => {
    const { catalog, file, alice } = await loadFixture(localNetwork)
    const artist = new Wallet(`0x${'a1'.repeat(32)}`)
    const author = parseAddress(artist.address)
    const domain = domainOf(file)
    const signed = await signAction(artist, domain, {
      author,
      nonce: 2n ** 255n,
      kind: 'delete',
      subject: subjectOf(author, 12n),
      content: { prev: `0x${'00'.repeat(32)}` },
      deadline: (await chain.networkHelpers.time.latest()) + 600,
    })

    const sent = await alice.sendTransaction({ to: await catalog.getAddress(), data: actData(signed) })
    const [log] = (await sent.wait())?.logs ?? []
    const action = log && decodeActed({ ...log, topics: [...log.topics], logIndex: log.index })
    expect(action).to.deep.equal(openAction(signed, domain))
    expect(action?.hash).to.equal(signed.hash)
    const { signer, nonce, kind, subject, content } = openAction(signed, domain)
    expect(
      await as(alice, catalog)('actionHash', signer, author, nonce, kind, subjectToBytes32(subject), content),
    ).to.equal(actionHash({ signer, author, nonce, kind, subject, content }))
  })

  it('agree on the operators after any history', async () => {
    const network = await loadFixture(localNetwork)
    const untouched = await takeSnapshot()
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 50 }), async (steps) => {
        await untouched.restore()
        for (const each of steps) await take(each, network)
        await expectAgreement(network)
      }),
      { numRuns: 25 },
    )
  })
})

type Step =
  | { do: 'register'; who: number; controller: number | null; hotKey: number }
  | { do: 'update'; who: number; hotKey: number; capacityBytes: bigint }
  | { do: 'requestExit' | 'cancelExit'; who: number }
  | { do: 'stake' | 'unbond'; who: number; operator: number; amountWei: bigint }

const account = fc.integer({ min: 0, max: 2 })
const hotKey = fc.integer({ min: 1, max: 3 })
const amountWei = fc.constantFrom(1n, minimumStakeWei / 2n, minimumStakeWei - 1n, minimumStakeWei)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('register' as const),
    who: account,
    controller: fc.option(account),
    hotKey,
  }),
  fc.record({
    do: fc.constant('update' as const),
    who: account,
    hotKey,
    capacityBytes: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({ do: fc.constantFrom('requestExit' as const, 'cancelExit' as const), who: account }),
  fc.record({
    do: fc.constantFrom('stake' as const, 'unbond' as const),
    who: account,
    operator: account,
    amountWei,
  }),
)

/** Sends one step; the contracts may well refuse it, and then nothing happened. */
async function take(step: Step, network: LocalNetwork): Promise<void> {
  const { registry, vault, token, deployer } = network
  const who = accountAt(network, step.who)
  switch (step.do) {
    case 'register': {
      const controller = step.controller === null ? ZeroAddress : accountAt(network, step.controller).address
      return attempt(
        as(who, registry)('register', controller, 'https://a.example', '0x01', hotKeyAt(step.hotKey), 1),
      )
    }
    case 'update':
      return attempt(
        as(who, registry)('update', 'https://b.example', '0x', hotKeyAt(step.hotKey), step.capacityBytes),
      )
    case 'requestExit':
    case 'cancelExit':
      return attempt(as(who, registry)(step.do))
    case 'stake': {
      await as(deployer, token)('transfer', who.address, step.amountWei)
      await as(who, token)('approve', await vault.getAddress(), step.amountWei)
      return attempt(as(who, vault)('stake', accountAt(network, step.operator).address, step.amountWei))
    }
    case 'unbond':
      return attempt(as(who, vault)('unbond', accountAt(network, step.operator).address, step.amountWei))
  }
}

async function attempt(transaction: Promise<unknown>): Promise<void> {
  await transaction.catch((error: Error) => {
    if (!/reverted with custom error/.test(error.message)) throw error
  })
}

async function expectAgreement(network: LocalNetwork): Promise<void> {
  const { registry, vault, file, alice } = network
  const logs = await chain.ethers.provider.getLogs({
    fromBlock: file.firstBlock,
    address: [file.contracts.operatorRegistry, file.contracts.stakeVault],
  })
  const events = logs.flatMap((log) => {
    const chainLog: ChainLog = { ...log, topics: [...log.topics], logIndex: log.index }
    return decodeOperatorLog(chainLog) ?? []
  })
  const known = operatorsAt(events, await chain.ethers.provider.getBlockNumber(), minimumStakeWei)

  expect(known.size).to.equal(Number(await as(alice, registry)('operatorCount')))
  for (const operator of known.values()) {
    const entry = await as(alice, registry)('operator', operator.operator)
    expect({
      controller: entry.controller.toLowerCase(),
      endpoint: entry.endpoint,
      peerId: entry.peerId,
      hotKey: entry.hotKey.toLowerCase(),
      capacityBytes: entry.capacityBytes,
      exiting: entry.exiting,
      stakeWei: await as(alice, vault)('stakeOf', operator.operator, entry.controller),
      active: await as(alice, registry)('isActive', operator.operator),
      operator: operator.operator,
    }).to.deep.equal(operator)
  }
}

function accountAt({ deployer, alice, bob }: LocalNetwork, index: number) {
  return [deployer, alice, bob][index] ?? deployer
}

function hotKeyAt(index: number): string {
  return `0x${'00'.repeat(19)}e${index}`
}
