import { expect } from 'chai'
import { ContractFactory, ZeroAddress } from 'ethers'
import { describe, it } from 'mocha'
import { stakeVaultAbi, stakeVaultBytecode } from '../generated/index.ts'
import { as, chain, localNetwork, unbondingSeconds } from './support/local-network.ts'

const { loadFixture, time } = chain.networkHelpers

const operator = `0x${'0b'.repeat(20)}`
const otherOperator = `0x${'0c'.repeat(20)}`

describe('StakeVault', () => {
  async function withStake() {
    const network = await localNetwork()
    const { deployer, alice, token, vault } = network
    await as(deployer, token)('transfer', alice.address, 1000n)
    await as(alice, token)('approve', await vault.getAddress(), 1000n)
    await as(alice, vault)('stake', operator, 600n)
    return network
  }

  async function withUnbonding() {
    const network = await withStake()
    await as(network.alice, network.vault)('unbond', operator, 200n)
    return { ...network, id: 1n, readyAt: (await time.latest()) + unbondingSeconds }
  }

  it('takes stake and says how much there is now', async () => {
    const { vault, token, alice } = await loadFixture(withStake)
    await expect(as(alice, vault)('stake', operator, 150n))
      .to.emit(vault, 'Staked')
      .withArgs(anAddress(operator), alice.address, 150n, 750n)
    expect(await as(alice, vault)('stakeOf', operator, alice.address)).to.equal(750n)
    expect(await as(alice, vault)('totalBonded')).to.equal(750n)
    expect(await as(alice, token)('balanceOf', await vault.getAddress())).to.equal(750n)
  })

  it('keeps the stake of each pair of operator and staker apart', async () => {
    const { vault, token, alice, deployer } = await loadFixture(withStake)
    await as(deployer, token)('approve', await vault.getAddress(), 50n)
    await as(deployer, vault)('stake', operator, 50n)
    await as(alice, vault)('stake', otherOperator, 10n)

    expect(await as(alice, vault)('stakeOf', operator, alice.address)).to.equal(600n)
    expect(await as(alice, vault)('stakeOf', operator, deployer.address)).to.equal(50n)
    expect(await as(alice, vault)('stakeOf', otherOperator, alice.address)).to.equal(10n)
  })

  it('refuses stake for nobody, of nothing, or without leave to take it', async () => {
    const { vault, token, alice, bob } = await loadFixture(withStake)
    await expect(as(alice, vault)('stake', ZeroAddress, 1n)).to.be.revertedWithCustomError(
      vault,
      'StakeOperatorZero',
    )
    await expect(as(alice, vault)('stake', operator, 0n)).to.be.revertedWithCustomError(
      vault,
      'StakeAmountZero',
    )
    await expect(as(bob, vault)('stake', operator, 1n))
      .to.be.revertedWithCustomError(token, 'ERC20InsufficientAllowance')
      .withArgs(await vault.getAddress(), 0n, 1n)
  })

  it('unbonds under a new id each time', async () => {
    const { vault, alice } = await loadFixture(withUnbonding)
    const second = (await time.latest()) + 100
    await time.setNextBlockTimestamp(second)

    await expect(as(alice, vault)('unbond', operator, 400n))
      .to.emit(vault, 'Unbonding')
      .withArgs(anAddress(operator), alice.address, 2n, 400n, 0n, second + unbondingSeconds)

    expect(await as(alice, vault)('totalBonded')).to.equal(0n)
    expect(await as(alice, vault)('totalUnbonding')).to.equal(600n)
  })

  it('keeps on record what is unbonding, and for which operator', async () => {
    const { vault, alice, id, readyAt } = await loadFixture(withUnbonding)
    const leaving = await as(alice, vault)('unbondingStake', id)
    expect(leaving.operator.toLowerCase()).to.equal(operator)
    expect(leaving.staker).to.equal(alice.address)
    expect(leaving.amount).to.equal(200n)
    expect(leaving.readyAt).to.equal(BigInt(readyAt))
  })

  it('refuses to unbond nothing, or more than the caller has bonded for the operator', async () => {
    const { vault, alice, bob } = await loadFixture(withUnbonding)
    await expect(as(alice, vault)('unbond', operator, 0n)).to.be.revertedWithCustomError(
      vault,
      'StakeAmountZero',
    )
    await expect(as(alice, vault)('unbond', operator, 401n))
      .to.be.revertedWithCustomError(vault, 'StakeInsufficient')
      .withArgs(anAddress(operator), alice.address, 400n, 401n)
    await expect(as(alice, vault)('unbond', otherOperator, 1n))
      .to.be.revertedWithCustomError(vault, 'StakeInsufficient')
      .withArgs(anAddress(otherOperator), alice.address, 0n, 1n)
    await expect(as(bob, vault)('unbond', operator, 1n))
      .to.be.revertedWithCustomError(vault, 'StakeInsufficient')
      .withArgs(anAddress(operator), bob.address, 0n, 1n)
  })

  it('pays out in the second in which stake is ready, and not before', async () => {
    const { vault, token, alice, id, readyAt } = await loadFixture(withUnbonding)
    await time.setNextBlockTimestamp(readyAt - 1)
    await expect(as(alice, vault)('withdraw', id))
      .to.be.revertedWithCustomError(vault, 'StakeNotReady')
      .withArgs(id, readyAt, readyAt - 1)

    await time.setNextBlockTimestamp(readyAt)
    await expect(as(alice, vault)('withdraw', id))
      .to.emit(vault, 'Withdrawn')
      .withArgs(id, alice.address, 200n)
    expect(await as(alice, token)('balanceOf', alice.address)).to.equal(600n)
    expect(await as(alice, vault)('totalUnbonding')).to.equal(0n)
  })

  it('pays out once, to the staker, and only what there is', async () => {
    const { vault, alice, bob, id, readyAt } = await loadFixture(withUnbonding)
    await time.increaseTo(readyAt)
    await expect(as(bob, vault)('withdraw', id))
      .to.be.revertedWithCustomError(vault, 'StakeNotOwned')
      .withArgs(id, alice.address, bob.address)
    await as(alice, vault)('withdraw', id)
    for (const unknown of [id, 0n, 99n]) {
      await expect(as(alice, vault)('withdraw', unknown))
        .to.be.revertedWithCustomError(vault, 'StakeUnbondingUnknown')
        .withArgs(unknown)
    }
  })

  it('takes stake in one go with a permit for the token', async () => {
    const { vault, token, file, deployer } = await loadFixture(localNetwork)
    const spender = await vault.getAddress()
    const permit = { owner: deployer.address, spender, value: 42n, nonce: 0n, deadline: 2n ** 64n }
    const signature = await deployer.signTypedData(
      { name: 'Hexachord', version: '1', chainId: file.chainId, verifyingContract: file.contracts.token },
      {
        Permit: [
          { type: 'address', name: 'owner' },
          { type: 'address', name: 'spender' },
          { type: 'uint256', name: 'value' },
          { type: 'uint256', name: 'nonce' },
          { type: 'uint256', name: 'deadline' },
        ],
      },
      permit,
    )
    const { v, r, s } = chain.ethers.Signature.from(signature)
    await as(deployer, token)('permit', permit.owner, spender, permit.value, permit.deadline, v, r, s)
    await as(deployer, vault)('stake', operator, 42n)
    expect(await as(deployer, vault)('stakeOf', operator, deployer.address)).to.equal(42n)
  })

  it('cannot be created without a token, or with an unbonding time of more than a year', async () => {
    const { vault, file, deployer, bob } = await loadFixture(localNetwork)
    const factory = new ContractFactory(stakeVaultAbi, stakeVaultBytecode, deployer)
    const year = 365 * 24 * 3600
    await expect(factory.deploy(bob.address, 1))
      .to.be.revertedWithCustomError(vault, 'StakeTokenMissing')
      .withArgs(bob.address)
    await expect(factory.deploy(file.contracts.token, year + 1))
      .to.be.revertedWithCustomError(vault, 'StakeUnbondingTooLong')
      .withArgs(year + 1, year)
  })
})

/** Matches an address however it is spelled. */
function anAddress(lowerCase: string) {
  return (actual: string) => actual.toLowerCase() === lowerCase
}
