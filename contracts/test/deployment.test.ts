import { expect } from 'chai'
import { JsonRpcProvider, Wallet } from 'ethers'
import { describe, it } from 'mocha'
import { DeploymentError, type DeployNetworkOptions, deployNetwork } from '../deployment/index.ts'
import { NetworkFileError } from '../networks/index.ts'
import {
  as,
  chain,
  localNetwork,
  minimumStakeWei,
  releaseSeconds,
  unbondingSeconds,
} from './support/local-network.ts'

const { loadFixture } = chain.networkHelpers

describe('deployNetwork', () => {
  it('says where everything is and what was agreed on', async () => {
    const { file } = await loadFixture(localNetwork)
    const { firstBlock, contracts, payments, ...agreed } = file
    expect(agreed).to.deep.equal({
      name: 'in-process',
      chainId: 31337,
      finalityBlocks: 2,
      epochBlocks: 10,
      bytesPerToken: '1000000000',
      minimumStakeWei: minimumStakeWei.toString(),
    })
    expect(payments).to.have.all.keys('streamEscrow', 'trackRegistry', 'trackPurchases', 'token')
    for (const address of Object.values({ ...contracts, ...payments })) {
      expect(await chain.ethers.provider.getCode(address, firstBlock - 1)).to.equal('0x')
      expect(await chain.ethers.provider.getCode(address)).not.to.equal('0x')
    }
  })

  it('connects registry, vault and token, and gives the deployer the whole supply', async () => {
    const { file, registry, vault, token, deployer } = await loadFixture(localNetwork)
    expect(await as(deployer, registry)('vault')).to.equal(file.contracts.stakeVault)
    expect(await as(deployer, registry)('minimumStake')).to.equal(minimumStakeWei)
    expect(await as(deployer, vault)('token')).to.equal(file.contracts.token)
    expect(await as(deployer, vault)('unbondingSeconds')).to.equal(BigInt(unbondingSeconds))
    expect(await as(deployer, token)('totalSupply')).to.equal(10n ** 27n)
    expect(await as(deployer, token)('balanceOf', deployer.address)).to.equal(10n ** 27n)
    expect(await as(deployer, token)('decimals')).to.equal(18n)
  })

  it('connects the escrow to the token, the tracks and the operators', async () => {
    const { file, escrow, deployer } = await loadFixture(localNetwork)
    expect(await as(deployer, escrow)('token')).to.equal(file.payments?.token)
    expect(await as(deployer, escrow)('tracks')).to.equal(file.payments?.trackRegistry)
    expect(await as(deployer, escrow)('operators')).to.equal(file.contracts.operatorRegistry)
    expect(await as(deployer, escrow)('releaseSeconds')).to.equal(BigInt(releaseSeconds))
  })

  it('leaves payments out, or takes a token that is there, as it is told', async () => {
    const options = await someOptions()
    expect(await deployNetwork(options)).not.to.have.property('payments')
    const { file } = await loadFixture(localNetwork)
    const token = file.contracts.token
    const { payments } = await deployNetwork({ ...options, payments: { releaseSeconds: 60, token } })
    expect(payments?.token).to.equal(token)
  })

  it('checks what it is told before it pays for anything', async () => {
    const options = await someOptions()
    const before = await chain.ethers.provider.getBlockNumber()
    expect(await failureOf({ ...options, name: 'Not A Name' })).to.be.instanceOf(NetworkFileError)
    expect(await failureOf({ ...options, epochBlocks: 0 })).to.be.instanceOf(NetworkFileError)
    expect(await failureOf({ ...options, bytesPerToken: 0n })).to.be.instanceOf(NetworkFileError)
    expect(await failureOf({ ...options, unbondingSeconds: 1.5 })).to.be.instanceOf(DeploymentError)
    expect(await failureOf({ ...options, minimumStakeWei: 0n })).to.be.instanceOf(NetworkFileError)
    expect(await chain.ethers.provider.getBlockNumber()).to.equal(before)
  })

  it('says which contract could not be deployed, and why', async () => {
    const failure = await failureOf({ ...(await someOptions()), unbondingSeconds: 366 * 24 * 3600 })
    expect(failure).to.be.instanceOf(DeploymentError)
    expect(failure.message)
      .to.include('StakeVault could not be deployed')
      .and.include('StakeUnbondingTooLong')
  })

  it('says so when there is no chain to deploy on', async () => {
    const nobody = new JsonRpcProvider('http://127.0.0.1:1')
    try {
      const signer = new Wallet(`0x${'01'.repeat(32)}`, nobody)
      const failure = await failureOf({ ...(await someOptions()), signer, timeoutMs: 2_000 })
      expect(failure).to.be.instanceOf(DeploymentError)
      expect(failure.message).to.include('the chain does not say which it is')
    } finally {
      nobody.destroy()
    }
  })

  it('gives up after its time on a chain that does not mine', async () => {
    const options = await someOptions()
    await withoutMining(async () => {
      const failure = await failureOf({ ...options, timeoutMs: 300 })
      expect(failure).to.be.instanceOf(DeploymentError)
      expect(failure.message).to.equal('HexToken was not in a block within 300 ms; is the chain mining?')
    })
  })

  it('stops when told to', async () => {
    const options = await someOptions()
    await withoutMining(async () => {
      const controller = new AbortController()
      const reason = new Error('enough')
      const failure = failureOf({ ...options, signal: controller.signal })
      controller.abort(reason)
      expect(await failure).to.equal(reason)
    })
  })
})

async function someOptions(): Promise<DeployNetworkOptions> {
  const { deployer } = await loadFixture(localNetwork)
  return {
    signer: deployer,
    name: 'another',
    minimumStakeWei: 1n,
    unbondingSeconds: 0,
    finalityBlocks: 0,
    epochBlocks: 1,
    bytesPerToken: 1n,
    signal: AbortSignal.timeout(20_000),
  }
}

async function failureOf(options: DeployNetworkOptions): Promise<Error> {
  try {
    await deployNetwork(options)
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  throw new Error('the network was deployed after all')
}

async function withoutMining(work: () => Promise<void>): Promise<void> {
  await chain.provider.request({ method: 'evm_setAutomine', params: [false] })
  try {
    await work()
  } finally {
    await chain.provider.request({ method: 'evm_setAutomine', params: [true] })
    await chain.networkHelpers.mine()
  }
}
