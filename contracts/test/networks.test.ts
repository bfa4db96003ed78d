import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { type NetworkFile, NetworkFileError, readNetworkFile, writeNetworkFile } from '../networks/index.ts'

const example: NetworkFile = {
  name: 'example',
  chainId: 31337,
  firstBlock: 1,
  finalityBlocks: 2,
  epochBlocks: 10,
  bytesPerToken: '1000000000',
  minimumStakeWei: '100000000000000000000',
  contracts: {
    catalog: '0x5FbDB2315678afecb367f032d93F642f64180aa3',
    operatorRegistry: '0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512',
    stakeVault: '0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0',
    token: '0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9',
  },
}

describe('network files', () => {
  let folder: string
  let path: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hexachord-networks-'))
    path = join(folder, 'example.json')
  })

  afterEach(() => rm(folder, { recursive: true }))

  it('are read as they were written', async () => {
    await writeNetworkFile(path, example)
    expect(await readNetworkFile(path)).to.deep.equal(example)
  })

  it('may say where listeners pay', async () => {
    const { catalog, stakeVault, token } = example.contracts
    const payments = { streamEscrow: catalog, trackRegistry: stakeVault, token }
    await writeNetworkFile(path, { ...example, payments })
    expect(await readNetworkFile(path)).to.deep.equal({ ...example, payments })
    const buying = { ...payments, trackPurchases: catalog }
    await writeNetworkFile(path, { ...example, payments: buying })
    expect(await readNetworkFile(path)).to.deep.equal({ ...example, payments: buying })
    const half = { ...example, payments: { ...payments, token: 'nowhere' } }
    expect((await failureOf(writeNetworkFile(path, half))).message).to.include('payments.token')
  })

  it('are replaced whole, and leave nothing else behind', async () => {
    await writeNetworkFile(path, { ...example, firstBlock: 9_999_999 })
    await writeNetworkFile(path, example)
    expect(await readNetworkFile(path)).to.deep.equal(example)
    expect(await readdir(folder)).to.deep.equal(['example.json'])
  })

  it('make the folder that they are written into', async () => {
    const deeper = join(folder, 'a', 'b', 'example.json')
    await writeNetworkFile(deeper, example)
    expect(await readNetworkFile(deeper)).to.deep.equal(example)
  })

  it('are not written when they are wrong, and the one in place stays', async () => {
    await writeNetworkFile(path, example)
    const failure = await failureOf(writeNetworkFile(path, { ...example, epochBlocks: 0 }))
    expect(failure.message).to.include('epochBlocks: must be at least 1')
    expect(await readNetworkFile(path)).to.deep.equal(example)
  })

  it('leave nothing behind when they cannot be put in place', async () => {
    const taken = join(folder, 'taken')
    await mkdir(taken)
    const failure = await writeNetworkFile(taken, example).catch((error: NodeJS.ErrnoException) => error)
    expect(failure?.code).to.equal('EISDIR')
    expect(await readdir(folder)).to.deep.equal(['taken'])
  })

  it('that are missing are said to be missing', async () => {
    const failure = await failureOf(readNetworkFile(path))
    expect(failure.message).to.include(`there is no network file at ${path}`)
  })

  it('that cannot be read are said to be unreadable', async () => {
    const failure = await failureOf(readNetworkFile(folder))
    expect(failure.message).to.include(`${folder} cannot be read: EISDIR`)
  })

  it('that are not JSON are said not to be', async () => {
    await writeFile(path, '{"name":')
    expect((await failureOf(readNetworkFile(path))).message).to.equal(`the network file ${path} is not JSON`)
  })

  it('are told all their mistakes at once', async () => {
    const text = JSON.parse(await written(path))
    text.name = 'No Spaces'
    text.chainId = '31337'
    text.finalityBlocks = -1
    text.bytesPerToken = 1e9
    text.minimumStakeWei = '0'
    text.contracts.catalog = text.contracts.catalog.toLowerCase()
    delete text.contracts.token
    text.surplus = true
    await writeFile(path, JSON.stringify(text))

    const { message } = await failureOf(readNetworkFile(path))
    for (const mistake of [
      'name: must be 1 to 63 of a-z, 0-9 and -',
      'chainId: must be a number',
      'finalityBlocks: must be at least 0',
      'bytesPerToken: must be a decimal string',
      'minimumStakeWei: must be a whole number above zero as a decimal string',
      'contracts.catalog: must be an address with its EIP-55 checksum',
      'contracts.token: ',
      'surplus',
    ]) {
      expect(message).to.include(mistake)
    }
  })
})

async function written(path: string): Promise<string> {
  await writeNetworkFile(path, example)
  return readFile(path, 'utf8')
}

async function failureOf(work: Promise<unknown>): Promise<NetworkFileError> {
  try {
    await work
  } catch (error) {
    if (error instanceof NetworkFileError) return error
    throw error
  }
  throw new Error('it went well after all')
}
