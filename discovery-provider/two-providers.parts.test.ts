import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeNetworkFile } from '@hexachord/contracts/networks'
import { type Address, type Hash, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { freePort } from './fixtures/anvil.ts'
import { type AnvilNetwork, startAnvilNetwork } from './fixtures/anvil-network.ts'
import { createTestDatabase, type TestDatabase } from './fixtures/database.ts'
import { eventually } from './fixtures/eventually.ts'
import { type ProviderProcess, startProviderProcess } from './fixtures/provider-process.ts'

// Processes start slowly on a machine that does other things as well.
jest.setTimeout(180_000)
const deadlineMs = 60_000

let chain: AnvilNetwork
let folder: string
let ports: [number, number]
let databases: TestDatabase[]
let providers: ProviderProcess[]

beforeAll(async () => {
  chain = await startAnvilNetwork()
  folder = await mkdtemp(join(tmpdir(), 'hexachord-discovery-'))
  await writeNetworkFile(join(folder, 'network.json'), chain.file)
  ports = [await freePort(), await freePort()]
  databases = [await createTestDatabase(), await createTestDatabase()]
  providers = [await start(0), await start(1)]
})
afterAll(async () => {
  for (const provider of providers) {
    provider.kill('SIGKILL')
    await provider.exited
  }
  for (const database of databases) await database.drop()
  await chain.anvil.close()
  await rm(folder, { recursive: true, force: true })
})

function start(which: 0 | 1): Promise<ProviderProcess> {
  return startProviderProcess(
    {
      PEER_PROVIDERS: `http://127.0.0.1:${ports[which === 0 ? 1 : 0]}`,
      RPC_URL: chain.anvil.url,
      NETWORK_FILE: join(folder, 'network.json'),
      DATABASE_URL: databases[which]?.url ?? '',
    },
    ports[which],
  )
}

async function act(wallet: Wallet, name: string): Promise<void> {
  const subject = userSubject(wallet.address.toLowerCase() as Address)
  await chain.send(wallet, { kind: 'user', subject, content: { prev: null, name } })
}

async function headNumber(): Promise<number> {
  return Number(await chain.anvil.rpc('eth_blockNumber'))
}

async function caughtUp(provider: ProviderProcess): Promise<void> {
  const head = await headNumber()
  await eventually(
    () => provider.get('/status'),
    ({ body }) => body.indexed === head,
    deadlineMs,
  )
}

async function stateHashesOf(provider: ProviderProcess, blocks: readonly number[]): Promise<unknown[]> {
  return Promise.all(blocks.map(async (block) => (await provider.get(`/v1/blocks/${block}`)).body.stateHash))
}

/** What a provider says of the other one. */
function peerOf(provider: ProviderProcess, isSo: (peer: { [name: string]: unknown }) => boolean) {
  return eventually(
    async () => ((await provider.get('/status')).body.peers as { [name: string]: unknown }[])[0] ?? {},
    isSo,
    deadlineMs,
  )
}

describe('two providers on one chain', () => {
  test('one restarted and fed reorganisations all along, publish the same state hashes', async () => {
    const [steady, first] = providers as [ProviderProcess, ProviderProcess]
    await Promise.all([steady.ready(), first.ready()])
    for (const [round, depth] of [1, 3, 2].entries()) {
      const [kept, lost] = [0, 1].map(() => new Wallet(Wallet.createRandom().privateKey)) as [Wallet, Wallet]
      await act(kept, `kept ${round}`)
      await chain.anvil.mine()
      await act(lost, `lost ${round}`)
      await chain.anvil.mine(depth)
      const restarted = providers[1] as ProviderProcess
      // In the midst of what it does: with the lost blocks, before them, or half-way.
      if (round > 0) await caughtUp(restarted)
      restarted.kill(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
      await restarted.exited
      await chain.anvil.rpc('anvil_reorg', [depth, []])
      await chain.anvil.mine()
      providers[1] = await start(1)
      if (round === 1) await caughtUp(providers[1])
      await chain.anvil.rpc('anvil_reorg', [1, []])
      await chain.anvil.mine(2)
    }
    await chain.anvil.mine(5)
    await Promise.all(providers.map(caughtUp))
    const blocks = Array.from(
      { length: (await headNumber()) - chain.file.firstBlock + 1 },
      (_, index) => chain.file.firstBlock + index,
    )
    const [ofSteady, ofRestarted] = await Promise.all(providers.map((one) => stateHashesOf(one, blocks)))
    expect(ofRestarted).toEqual(ofSteady)
    // Or the history would prove little.
    expect(new Set(ofSteady).size).toBeGreaterThan(6)
    expect(steady.lines()).toContain('took blocks back after a reorganisation')
    const agreed = await peerOf(steady, ({ agreedBlock }) => agreedBlock === blocks.at(-1))
    expect(agreed).toMatchObject({ outcome: 'agrees', divergesFrom: null, reason: null })
  })

  test('say from which block on one diverges, and raise an alarm', async () => {
    const [steady] = providers as [ProviderProcess]
    const { rows } = (await databases[1]?.postgres.query<{ number: number }>(
      `SELECT number FROM block WHERE logs > 0 AND number <= (SELECT finalized FROM checkpoint)
       ORDER BY number DESC LIMIT 1 OFFSET 1`,
    )) ?? { rows: [] }
    const number = rows[0]?.number
    const wrong: Hash = `0x${'ee'.repeat(32)}`
    await databases[1]?.postgres.query('UPDATE block SET state_hash = $1 WHERE number >= $2', [wrong, number])
    const peer = await peerOf(steady, ({ outcome }) => outcome === 'diverges')
    expect(peer).toMatchObject({ divergesFrom: number, agreedBlock: Number(number) - 1 })
    expect(steady.lines()).toContain('another provider makes something else of the same chain')
    const metrics = await (await fetch(`${steady.metricsOrigin}/metrics`)).text()
    expect(metrics).toMatch(/peer_diverging\{.*\} 1\n/)
    providers[1]?.kill('SIGKILL')
    const away = await peerOf(steady, ({ outcome }) => outcome === 'unknown')
    expect(away).toMatchObject({ divergesFrom: number, reason: expect.stringContaining('ECONNREFUSED') })
  })
})
