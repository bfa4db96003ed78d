import { expect } from 'chai'
import { ContractFactory, ZeroAddress } from 'ethers'
import { describe, it } from 'mocha'
import { operatorRegistryAbi, operatorRegistryBytecode } from '../generated/index.ts'
import { as, chain, localNetwork, minimumStakeWei } from './support/local-network.ts'

const { loadFixture } = chain.networkHelpers

const endpoint = 'https://node.example'
const peerId = '0x002408011220'
const hotKey = `0x${'e1'.repeat(20)}`
const otherHotKey = `0x${'e2'.repeat(20)}`
const capacityBytes = 10n ** 12n

describe('OperatorRegistry', () => {
  async function withOperator() {
    const network = await localNetwork()
    await as(network.alice, network.registry)(
      'register',
      ZeroAddress,
      endpoint,
      peerId,
      hotKey,
      capacityBytes,
    )
    return network
  }

  it('registers the caller, with itself as controller where it names none', async () => {
    const { registry, alice } = await loadFixture(localNetwork)

    await expect(as(alice, registry)('register', ZeroAddress, endpoint, peerId, hotKey, capacityBytes))
      .to.emit(registry, 'OperatorRegistered')
      .withArgs(alice.address, alice.address, endpoint, peerId, anAddress(hotKey), capacityBytes)

    const entry = await as(alice, registry)('operator', alice.address)
    expect(entry.controller).to.equal(alice.address)
    expect(entry.endpoint).to.equal(endpoint)
    expect(entry.peerId).to.equal(peerId)
    expect(entry.hotKey.toLowerCase()).to.equal(hotKey)
    expect(entry.capacityBytes).to.equal(capacityBytes)
    expect(entry.exiting).to.equal(false)
    expect(await as(alice, registry)('operatorOfHotKey', hotKey)).to.equal(alice.address)
  })

  it('takes capacity zero, no peer id and a controller that is someone else', async () => {
    const { registry, alice, bob } = await loadFixture(localNetwork)
    await expect(as(alice, registry)('register', bob.address, endpoint, '0x', hotKey, 0))
      .to.emit(registry, 'OperatorRegistered')
      .withArgs(alice.address, bob.address, endpoint, '0x', anAddress(hotKey), 0)
  })

  it('lists operators in the order in which they came', async () => {
    const { registry, alice, bob } = await loadFixture(withOperator)
    await as(bob, registry)('register', alice.address, endpoint, peerId, otherHotKey, 0)

    expect(await as(bob, registry)('operatorCount')).to.equal(2n)
    expect(await as(bob, registry)('operatorAt', 0)).to.equal(alice.address)
    expect(await as(bob, registry)('operatorAt', 1)).to.equal(bob.address)
    await expect(as(bob, registry)('operatorAt', 2))
      .to.be.revertedWithCustomError(registry, 'OperatorIndexOutOfRange')
      .withArgs(2n, 2n)
  })

  it('has nothing on an address that never registered', async () => {
    const { registry, bob } = await loadFixture(withOperator)
    const entry = await as(bob, registry)('operator', bob.address)
    expect(entry.controller).to.equal(ZeroAddress)
    expect(entry.endpoint).to.equal('')
    expect(await as(bob, registry)('isActive', bob.address)).to.equal(false)
  })

  it('registers an address once', async () => {
    const { registry, alice } = await loadFixture(withOperator)
    await expect(as(alice, registry)('register', ZeroAddress, endpoint, peerId, otherHotKey, 0))
      .to.be.revertedWithCustomError(registry, 'OperatorAlreadyRegistered')
      .withArgs(alice.address)
  })

  it('refuses fields that are empty, zero or too long, in register and update alike', async () => {
    const { registry, alice, bob } = await loadFixture(withOperator)
    const atLimit = ['x'.repeat(255), `0x${'01'.repeat(64)}`, otherHotKey, 2n ** 64n - 1n]
    const wrong: [unknown[], string, unknown[]][] = [
      [['', peerId, otherHotKey, 0], 'OperatorEndpointEmpty', []],
      [['x'.repeat(256), peerId, otherHotKey, 0], 'OperatorEndpointTooLong', [256n, 255n]],
      [['é'.repeat(128), peerId, otherHotKey, 0], 'OperatorEndpointTooLong', [256n, 255n]],
      [[endpoint, `0x${'01'.repeat(65)}`, otherHotKey, 0], 'OperatorPeerIdTooLong', [65n, 64n]],
      [[endpoint, peerId, ZeroAddress, 0], 'OperatorHotKeyZero', []],
    ]
    for (const [fields, error, values] of wrong) {
      await expect(as(bob, registry)('register', ZeroAddress, ...fields))
        .to.be.revertedWithCustomError(registry, error)
        .withArgs(...values)
      await expect(as(alice, registry)('update', ...fields))
        .to.be.revertedWithCustomError(registry, error)
        .withArgs(...values)
    }
    await expect(as(alice, registry)('update', ...atLimit)).to.emit(registry, 'OperatorUpdated')
  })

  it('gives a hot key to one operator at a time', async () => {
    const { registry, alice, bob } = await loadFixture(withOperator)
    await expect(as(bob, registry)('register', ZeroAddress, endpoint, peerId, hotKey, 0))
      .to.be.revertedWithCustomError(registry, 'OperatorHotKeyTaken')
      .withArgs(anAddress(hotKey), alice.address)
    await as(bob, registry)('register', ZeroAddress, endpoint, peerId, otherHotKey, 0)
    await expect(as(bob, registry)('update', endpoint, peerId, hotKey, 0))
      .to.be.revertedWithCustomError(registry, 'OperatorHotKeyTaken')
      .withArgs(anAddress(hotKey), alice.address)

    await as(alice, registry)('update', endpoint, peerId, `0x${'e3'.repeat(20)}`, 0)
    await as(bob, registry)('update', endpoint, peerId, hotKey, 0)

    expect(await as(bob, registry)('operatorOfHotKey', hotKey)).to.equal(bob.address)
    expect(await as(bob, registry)('operatorOfHotKey', otherHotKey)).to.equal(ZeroAddress)
  })

  it('updates an operator, even one that is leaving', async () => {
    const { registry, alice } = await loadFixture(withOperator)
    await as(alice, registry)('requestExit')

    await expect(as(alice, registry)('update', 'https://moved.example', '0x', hotKey, 5n))
      .to.emit(registry, 'OperatorUpdated')
      .withArgs(alice.address, 'https://moved.example', '0x', anAddress(hotKey), 5n)

    const entry = await as(alice, registry)('operator', alice.address)
    expect([entry.endpoint, entry.peerId, entry.capacityBytes, entry.exiting]).to.deep.equal([
      'https://moved.example',
      '0x',
      5n,
      true,
    ])
  })

  it('lets operators leave and stay after all, in turn', async () => {
    const { registry, alice } = await loadFixture(withOperator)
    await expect(as(alice, registry)('cancelExit'))
      .to.be.revertedWithCustomError(registry, 'OperatorNotExiting')
      .withArgs(alice.address)
    await expect(as(alice, registry)('requestExit'))
      .to.emit(registry, 'OperatorExitRequested')
      .withArgs(alice.address)
    await expect(as(alice, registry)('requestExit'))
      .to.be.revertedWithCustomError(registry, 'OperatorAlreadyExiting')
      .withArgs(alice.address)
    await expect(as(alice, registry)('cancelExit'))
      .to.emit(registry, 'OperatorExitCancelled')
      .withArgs(alice.address)
  })

  it('knows no one else as an operator', async () => {
    const { registry, bob } = await loadFixture(withOperator)
    const calls: [string, ...unknown[]][] = [
      ['update', endpoint, peerId, otherHotKey, 0],
      ['requestExit'],
      ['cancelExit'],
    ]
    for (const call of calls) {
      await expect(as(bob, registry)(...call))
        .to.be.revertedWithCustomError(registry, 'OperatorNotRegistered')
        .withArgs(bob.address)
    }
  })

  it("counts the controller's stake and no one else's", async () => {
    const { registry, vault, token, deployer, alice, bob } = await loadFixture(localNetwork)
    await as(alice, registry)('register', bob.address, endpoint, peerId, hotKey, 0)
    for (const staker of [deployer, alice, bob]) {
      await as(deployer, token)('transfer', staker.address, minimumStakeWei)
      await as(staker, token)('approve', await vault.getAddress(), minimumStakeWei)
    }
    const isActive = () => as(alice, registry)('isActive', alice.address)

    await as(deployer, vault)('stake', alice.address, minimumStakeWei)
    await as(alice, vault)('stake', alice.address, minimumStakeWei)
    await as(bob, vault)('stake', alice.address, minimumStakeWei - 1n)
    expect(await isActive()).to.equal(false)

    await as(bob, vault)('stake', alice.address, 1n)
    expect(await isActive()).to.equal(true)

    await as(alice, registry)('requestExit')
    expect(await isActive()).to.equal(false)
    await as(alice, registry)('cancelExit')
    expect(await isActive()).to.equal(true)

    await as(bob, vault)('unbond', alice.address, 1n)
    expect(await isActive()).to.equal(false)
  })

  it('cannot be created without a vault, or without a minimum stake', async () => {
    const { registry, vault, deployer, bob } = await loadFixture(localNetwork)
    const factory = new ContractFactory(operatorRegistryAbi, operatorRegistryBytecode, deployer)
    await expect(factory.deploy(bob.address, 1n))
      .to.be.revertedWithCustomError(registry, 'OperatorVaultMissing')
      .withArgs(bob.address)
    await expect(factory.deploy(await vault.getAddress(), 0n)).to.be.revertedWithCustomError(
      registry,
      'OperatorMinimumStakeZero',
    )
  })
})

/** Matches an address however it is spelled. */
function anAddress(lowerCase: string) {
  return (actual: string) => actual.toLowerCase() === lowerCase
}
