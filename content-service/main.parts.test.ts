import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { writeNetworkFile } from '@hexachord/contracts/networks'
import { canMountDisks, mountSmallDisk } from '@hexachord/platform/testing'
import { startTestChain, type TestChain } from '@hexachord/storage/catalogue/fixtures'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { eventually } from './fixtures/eventually.ts'
import { freePort } from './fixtures/test-node.ts'

jest.setTimeout(30_000)

const entry = fileURLToPath(new URL('main.ts', import.meta.url))

let chain: TestChain
let directory: string
let env: Record<string, string>
beforeAll(async () => {
  chain = await startTestChain()
  directory = await mkdtemp(join(tmpdir(), 'hexachord-main-'))
  const port = await freePort()
  await writeNetworkFile(join(directory, 'network.json'), chain.network)
  await writeFile(join(directory, 'hot.key'), Wallet.createRandom().privateKey, { mode: 0o600 })
  env = {
    PATH: process.env.PATH ?? '',
    PORT: String(port),
    METRICS_PORT: String(await freePort()),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    DATA_DIR: join(directory, 'data'),
    RPC_URL: chain.rpcUrl,
    NETWORK_FILE: join(directory, 'network.json'),
    OPERATOR_ADDRESS: Wallet.createRandom().address,
    HOT_KEY_FILE: join(directory, 'hot.key'),
    LIBP2P_PORT: '0',
    CAPACITY_BYTES: '1GiB',
    ALLOW_PRIVATE_ADDRESSES: 'true',
    LOG_LEVEL: 'warn',
  }
}, 60_000)
afterAll(async () => {
  await chain.close()
  await rm(directory, { recursive: true })
})

const run = (variables: Record<string, string>): ChildProcess =>
  spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry], {
    env: { ...variables, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

describe(`a content service as a process${canMountDisks ? '' : ' (NOT RUN on a full disk: only root can mount one)'}`, () => {
  test('is ready, tells its figures, and ends cleanly when it is asked to', async () => {
    const service = run(env)
    const exited = once(service, 'exit')
    try {
      await eventually(async () => {
        expect((await fetch(`${env.PUBLIC_URL}/ready`)).status).toBe(200)
      })
      const status = await fetch(`${env.PUBLIC_URL}/status`)
      expect(await status.json()).toMatchObject({
        service: 'content-service',
        registered: false,
        duty: 0,
        held: 0,
        missing: 0,
        leases: { pulling: 0, held: 0, bytes: 0 },
        lastScrub: null,
      })
      const metrics = await (await fetch(`http://127.0.0.1:${env.METRICS_PORT}/metrics`)).text()
      expect(metrics).toContain('content_tracks{state="held",service="content-service"} 0')
      expect(metrics).toContain('content_blocks_behind')
    } finally {
      service.kill('SIGTERM')
    }
    expect(await exited).toEqual([0, null])
  })

  const asRoot = canMountDisks ? test : test.skip
  asRoot('that is started on a full disk says so, and ends, so that its supervisor tries again', async () => {
    const disk = await mountSmallDisk(1024 ** 2)
    try {
      await disk.fill()
      const service = run({ ...env, DATA_DIR: disk.path })
      const [said, [code]] = await Promise.all([
        service.stdout === null ? '' : text(service.stdout),
        once(service, 'exit'),
      ])
      expect({ code, said }).toEqual({ code: 1, said: expect.stringMatching(/disk is full|no space left/i) })
    } finally {
      await disk.remove()
    }
  })

  test('says everything that is wrong with its configuration, and ends with 2', async () => {
    const { CAPACITY_BYTES: _, ...lacking } = env
    const service = run({ ...lacking, PUBLIC_URL: 'here' })
    const [said, [code]] = await Promise.all([
      service.stderr === null ? '' : text(service.stderr),
      once(service, 'exit'),
    ])
    expect(code).toBe(2)
    expect(said).toContain('CAPACITY_BYTES: is not set')
    expect(said).toContain('PUBLIC_URL: must be an origin')
  })
})
