import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../../testing/eventually.ts'
import { freePort } from '../../testing/free-port.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../../testing/temporary-folder.ts'
import { type Anvil, startAnvil } from './anvil.ts'
import { blockNumber, callRpc } from './json-rpc.ts'
import { createMiner } from './miner.ts'

const signal = AbortSignal.timeout(120_000)
let folder: TemporaryFolder
let port: number

beforeEach(async () => {
  folder = await makeTemporaryFolder()
  port = await freePort()
})
afterEach(() => folder.remove())

async function withChain<T>(use: (chain: Anvil) => Promise<T>, report?: (line: string) => void): Promise<T> {
  const chain = await startAnvil({ directory: folder.path, port, signal, ...(report && { report }) })
  try {
    return await use(chain)
  } finally {
    await chain.close()
  }
}

async function sendOneWei(url: string): Promise<string> {
  const accounts = (await callRpc(url, 'eth_accounts', [])) as string[]
  return (await callRpc(url, 'eth_sendTransaction', [
    { from: accounts[0], to: accounts[1], value: '0x1' },
  ])) as string
}

async function receiptBlock(url: string, hash: string): Promise<number | undefined> {
  const receipt = (await callRpc(url, 'eth_getTransactionReceipt', [hash])) as { blockNumber: string } | null
  return receipt === null ? undefined : Number(receipt.blockNumber)
}

describe('a local chain', () => {
  test('mines nothing by itself', async () => {
    await withChain(async ({ url }) => {
      const hash = await sendOneWei(url)
      expect(await receiptBlock(url, hash)).toBeUndefined()
      await callRpc(url, 'evm_mine', [])
      expect(await receiptBlock(url, hash)).toBe(1)
    })
  }, 30_000)

  test('continues after a clean stop where it was', async () => {
    const hash = await withChain(async ({ url }) => {
      const sent = await sendOneWei(url)
      await callRpc(url, 'anvil_mine', ['0x5'])
      return sent
    })
    await withChain(async ({ url }) => {
      expect(await blockNumber(url)).toBe(5)
      expect(await receiptBlock(url, hash)).toBe(1)
      expect((await callRpc(url, 'eth_getBlockByNumber', ['finalized', false])) as object).toMatchObject({
        number: '0x3',
      })
    })
  }, 30_000)

  test('loses nothing that was saved when it is killed', async () => {
    const chain = await startAnvil({ directory: folder.path, port, signal })
    const hash = await sendOneWei(chain.url)
    await callRpc(chain.url, 'evm_mine', [])
    await chain.saveState()
    await chain.kill()
    await withChain(async ({ url }) => expect(await receiptBlock(url, hash)).toBe(1))
  }, 30_000)

  test('saves by itself soon after a block', async () => {
    await withChain(async ({ url }) => {
      await callRpc(url, 'anvil_mine', ['0x3'])
      await eventually(
        async () =>
          JSON.parse(await readFile(path.join(folder.path, 'chain.json'), 'utf8')).best_block_number,
        {
          describe: 'the saved head',
          until: (head) => Number(head) === 3,
          deadlineMs: 10_000,
        },
      )
    })
  }, 30_000)

  test('falls back to the copy before when the newest state is damaged, and says so', async () => {
    await withChain(async (chain) => {
      await callRpc(chain.url, 'anvil_mine', ['0x5'])
      await chain.saveState()
      await chain.saveState()
    })
    const newest = path.join(folder.path, 'chain.json')
    await writeFile(newest, (await readFile(newest, 'utf8')).slice(0, 1000))
    const reports: string[] = []
    await withChain(
      async ({ url }) => expect(await blockNumber(url)).toBe(5),
      (line) => reports.push(line),
    )
    expect(reports).toEqual([expect.stringContaining('is damaged; continuing from the copy before it')])
  }, 30_000)

  test('refuses to begin a new chain in silence when every state is damaged', async () => {
    await writeFile(path.join(folder.path, 'chain.json'), '{"blocks":')
    await expect(startAnvil({ directory: folder.path, port, signal })).rejects.toThrow(
      'Start anew with --reset',
    )
  })

  test('does not take another program on its port for itself', async () => {
    await withChain(async () => {
      await expect(startAnvil({ directory: folder.path, port, signal })).rejects.toThrow(
        'is taken by another program',
      )
    })
  }, 30_000)
})

describe('the miner', () => {
  test('mines while transactions wait, then as many blocks as finality needs, then rests', async () => {
    await withChain(async ({ url }) => {
      const miner = createMiner({ rpcUrl: url, everyMs: 10, idleEveryMs: 3_600_000, finalityBlocks: 2 })
      const hash = await sendOneWei(url)
      await eventually(() => blockNumber(url), {
        describe: 'the head',
        until: (head) => head === 3,
        deadlineMs: 10_000,
      })
      expect(await receiptBlock(url, hash)).toBe(1)
      await miner.close()
      expect(await blockNumber(url)).toBe(3)
    })
  }, 30_000)

  test('mines an empty block when nothing happens for long', async () => {
    await withChain(async ({ url }) => {
      const miner = createMiner({ rpcUrl: url, everyMs: 10, idleEveryMs: 50 })
      await eventually(() => blockNumber(url), {
        describe: 'the head',
        until: (head) => head >= 2,
        deadlineMs: 10_000,
      })
      await miner.close()
    })
  }, 30_000)

  test('reports a chain that is away once, and goes on when it is back', async () => {
    const reports: string[] = []
    const miner = createMiner({
      rpcUrl: `http://127.0.0.1:${port}`,
      everyMs: 10,
      report: (line) => reports.push(line),
    })
    await eventually(() => reports.length, {
      describe: 'reports',
      until: (count) => count > 0,
      deadlineMs: 10_000,
    })
    await withChain(async ({ url }) => {
      await sendOneWei(url)
      await eventually(() => blockNumber(url), {
        describe: 'the head',
        until: (head) => head >= 1,
        deadlineMs: 10_000,
      })
      await miner.close()
    })
    expect(reports).toHaveLength(1)
  }, 30_000)
})
