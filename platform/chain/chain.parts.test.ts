import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { createLogger } from '../process/index.ts'
import { createBloomDoubt } from './bloom-doubt.ts'
import {
  type Block,
  type ChainReader,
  createChainReader,
  followChain,
  type LogFilter,
  RpcError,
  RpcUnavailable,
} from './index.ts'
import { type Anvil, chainId, ledger, startAnvil, wordOf } from './testing/anvil.ts'
import { type FaultProxy, startFaultProxy } from './testing/fault-proxy.ts'
import { createEventIndex, type EventIndex } from './testing/index-of-events.ts'

const finalityBlocks = 6
const logger = createLogger({ service: 'test', level: 'silent' })
const addresses = [ledger]

describe('on a real node', () => {
  let anvil: Anvil
  let proxy: FaultProxy
  let reader: ChainReader
  /** Words are used once for all tests, since they share the chain. */
  let word = 0

  beforeAll(async () => {
    anvil = await startAnvil()
  })

  afterAll(() => anvil.close())

  beforeEach(async () => {
    proxy = await startFaultProxy(anvil.url)
    reader = createChainReader({ rpcUrls: [proxy.url], timeoutMs: 300 })
  })

  afterEach(async () => {
    await reader.close()
    await proxy.close()
  })

  async function mineWith(...writes: number[]): Promise<void> {
    for (const count of writes) {
      for (let index = 0; index < count; index += 1) {
        word += 1
        await anvil.write(word)
      }
      await anvil.mine()
    }
  }

  describe('a reader', () => {
    test('knows chain, head, blocks by number and hash, and that a block is not there', async () => {
      await mineWith(0, 0)
      expect(await reader.chainId()).toBe(chainId)
      const head = await reader.head()
      expect(await reader.block(head.number)).toEqual(head)
      expect(await reader.block(head.hash)).toEqual(head)
      expect(await reader.block(head.number + 1)).toBeNull()
      expect(await reader.block(wordOf(1))).toBeNull()
      const [previous, none, again] = await reader.blocks([head.number - 1, head.number + 9, head.number])
      expect([previous?.hash, none, again]).toEqual([head.parentHash, null, head])
    })

    test('gives logs by range and by block, with all their places', async () => {
      await mineWith(2, 1)
      const head = await reader.head()
      const logs = await reader.logs({ addresses, fromBlock: head.number - 1, toBlock: head.number })
      expect(logs.map(({ blockNumber, logIndex, data }) => [blockNumber, logIndex, data])).toEqual([
        [head.number - 1, 0, wordOf(word - 2)],
        [head.number - 1, 1, wordOf(word - 1)],
        [head.number, 0, wordOf(word)],
      ])
      expect(logs[2]).toMatchObject({
        address: ledger,
        topics: [wordOf(42)],
        blockHash: head.hash,
        blockTimestamp: head.timestamp,
        transactionIndex: 0,
      })
      const byBlock = await reader.logsOfBlocks({ addresses, blockHashes: [head.hash, head.parentHash] })
      expect(byBlock.map((some) => some.length)).toEqual([1, 2])
    })

    test('gives of some contracts only logs with the topics that matter', async () => {
      await mineWith(2)
      const { number, hash } = await reader.head()
      const withTopic = (topic: string) => ({
        addresses: [],
        narrowed: [{ address: ledger, topics: [topic] }],
      })
      const range = { fromBlock: number, toBlock: number }
      expect(await reader.logs({ ...withTopic(wordOf(42)), ...range })).toHaveLength(2)
      expect(await reader.logs({ ...withTopic(wordOf(43)), ...range })).toHaveLength(0)
      const [both] = await reader.logsOfBlocks({ ...withTopic(wordOf(42)), addresses, blockHashes: [hash] })
      expect(both?.map(({ logIndex }) => logIndex)).toEqual([0, 1])
    })

    test('tells by the bloom filter of a block of whom it may have logs, and with what topics', async () => {
      await mineWith(1, 0)
      const silent = await reader.head()
      const active = await reader.block(silent.number - 1)
      const isDoubtful = (filter: LogFilter, block: Block | null) =>
        createBloomDoubt(filter).isDoubtful(block?.logsBloom, [])
      const withTopic = (topic: string) => ({
        addresses: [],
        narrowed: [{ address: ledger, topics: [topic] }],
      })
      for (const filter of [{ addresses }, withTopic(wordOf(42))]) {
        expect(isDoubtful(filter, active)).toBe(true)
        expect(isDoubtful(filter, silent)).toBe(false)
      }
      expect(isDoubtful({ addresses: [wordOf(7).slice(0, 42)] }, active)).toBe(false)
      expect(isDoubtful(withTopic(wordOf(43)), active)).toBe(false)
    })

    test('never takes a block it does not have for an empty one', async () => {
      await expect(reader.logsOfBlocks({ addresses, blockHashes: [wordOf(7)] })).rejects.toThrow(RpcError)
    })

    test('reads many blocks in few requests', async () => {
      await anvil.mine(120)
      let requests = 0
      proxy.fault = () => {
        requests += 1
        return undefined
      }
      const head = await anvil.head()
      const blocks = await reader.blocks(Array.from({ length: 120 }, (_, index) => head - index))
      expect(blocks.every((block, index) => block?.number === head - index)).toBe(true)
      expect(requests).toBe(3)
    })

    test('asks a node that knows no batches one by one', async () => {
      const refusal = '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}}'
      let batches = 0
      proxy.fault = (methods) => {
        if (methods.length === 1) return undefined
        batches += 1
        return { status: 400, body: refusal }
      }
      const head = await anvil.head()
      for (let round = 0; round < 2; round += 1) {
        const blocks = await reader.blocks([head, head - 1, head + 9])
        expect(blocks.map((block) => block?.number)).toEqual([head, head - 1, undefined])
      }
      expect(batches).toBe(1)
    })

    test('tells an error of the node from a node that is away', async () => {
      await expect(reader.rpc.call('no_such_method', [])).rejects.toThrow(RpcError)
      await expect(reader.call({ to: ledger, data: '0x' })).resolves.toBe('0x')
      proxy.fault = () => ({ status: 502, body: 'Bad Gateway' })
      await expect(reader.head()).rejects.toThrow(RpcUnavailable)
      proxy.fault = () => ({ status: 200, body: '<html>' })
      await expect(reader.head()).rejects.toThrow('did not answer with JSON')
      proxy.fault = () => 'silence'
      await expect(reader.head()).rejects.toMatchObject({ name: 'RpcUnavailable', tooMuch: true })
      for (const fault of ['cut', 'half'] as const) {
        proxy.fault = () => fault
        await expect(reader.head()).rejects.toMatchObject({ name: 'RpcUnavailable', tooMuch: false })
      }
      proxy.fault = () => ({ status: 200, body: '{"jsonrpc":"2.0","id":1,"result":{"number":7}}' })
      await expect(reader.head()).rejects.toThrow('block.number is no hex number')
    })
  })

  describe('a follower', () => {
    let followers: { stop: () => Promise<void> }[] = []
    let startBlock = 0

    beforeEach(async () => {
      await anvil.mine(finalityBlocks + 4)
      startBlock = (await anvil.head()) - finalityBlocks - 3
    })

    afterEach(async () => {
      for (const follower of followers) await follower.stop()
      followers = []
    })

    function start(index: EventIndex) {
      const controller = new AbortController()
      const options = { reader, addresses, startBlock, finalityBlocks, known: index.known, logger, pollMs: 5 }
      const events = followChain({ ...options, signal: controller.signal })
      const ended = (async () => {
        for await (const event of events) index.apply(event)
      })()
      const follower = {
        ended,
        /** The words of the logs on the chain are the words in the index. */
        async settled() {
          const deadline = Date.now() + 4_000
          for (;;) {
            const head = await anvil.head()
            if (index.reached() === head) {
              const truth = await truthful.logs({ addresses, fromBlock: startBlock, toBlock: head })
              if (JSON.stringify(truth) === JSON.stringify(index.logs())) return
            }
            if (Date.now() > deadline) throw new Error(`it reached ${index.reached()} of ${head}`)
            await Promise.race([new Promise((resolve) => setTimeout(resolve, 5)), ended])
          }
        },
        async stop() {
          controller.abort()
          await ended
        },
      }
      followers.push(follower)
      return follower
    }

    let truthful: ChainReader

    beforeAll(() => {
      truthful = createChainReader({ rpcUrls: [anvil.url] })
    })

    afterAll(() => truthful.close())

    function reorgs(index: EventIndex): number[] {
      return index.events.flatMap((event) => (event.type === 'reorg' ? [event.toBlock] : []))
    }

    test('reads the past and follows the head', async () => {
      await mineWith(3, 0, 1)
      const index = createEventIndex(startBlock)
      const follower = start(index)
      await follower.settled()
      await mineWith(1, 2)
      await follower.settled()
      expect(index.logs()).toHaveLength(7)
      expect(reorgs(index)).toEqual([])
    })

    test('takes back what a reorganisation removes', async () => {
      await mineWith(0, 1, 1, 1)
      const index = createEventIndex(startBlock)
      const follower = start(index)
      await follower.settled()
      expect(index.logs()).toHaveLength(3)
      const head = await anvil.head()
      await anvil.reorg(2)
      await follower.settled()
      expect(index.logs()).toHaveLength(1)
      expect(reorgs(index)).toEqual([head - 2])
    })

    test('is right after three reorganisations in a row', async () => {
      const index = createEventIndex(startBlock)
      const follower = start(index)
      for (let round = 0; round < 3; round += 1) {
        await mineWith(1, 1)
        await anvil.reorg(1)
        await mineWith(1)
      }
      await follower.settled()
      expect(index.logs().length).toBeGreaterThan(0)
    })

    test('takes back what happened while it was away', async () => {
      await mineWith(1, 1, 1)
      const index = createEventIndex(startBlock)
      const first = start(index)
      await first.settled()
      await first.stop()
      await anvil.reorg(3)
      await mineWith(2)
      await start(index).settled()
      expect(index.logs()).toHaveLength(2)
    })

    test('follows a chain that was rolled back', async () => {
      await mineWith(1, 1, 1)
      const index = createEventIndex(startBlock)
      const follower = start(index)
      await follower.settled()
      await anvil.rollBack(2)
      await follower.settled()
      expect(index.logs()).toHaveLength(1)
      await mineWith(1)
      await follower.settled()
    })

    test('is right when the chain is reorganised between two of its questions', async () => {
      const index = createEventIndex(startBlock)
      const follower = start(index)
      await follower.settled()
      await mineWith(1, 1, 1)
      let disturbed = 0
      proxy.fault = async (methods) => {
        if (methods[0] === 'eth_getLogs' && disturbed < 2) {
          disturbed += 1
          await anvil.reorg(2)
          await mineWith(2)
        }
        return undefined
      }
      await follower.settled()
      await mineWith(1)
      await follower.settled()
      expect(disturbed).toBeGreaterThan(0)
    })

    test('finds logs that the provider, which has not their receipts yet, leaves out at first', async () => {
      const index = createEventIndex(startBlock)
      const follower = start(index)
      await follower.settled()
      let leftOut = 0
      proxy.alter = ({ method }, result) => {
        if (method !== 'eth_getLogs' || leftOut === 2 || (result as unknown[]).length === 0) return result
        leftOut += 1
        return []
      }
      await mineWith(1)
      await follower.settled()
      expect(leftOut).toBe(2)
      expect(index.logs()).toHaveLength(1)
    })

    test.each([
      ['too many requests', { status: 429, body: 'slow down' }],
      ['a bad gateway', { status: 502, body: '<html>Bad Gateway</html>' }],
      [
        'an error',
        { status: 200, body: '{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}' },
      ],
      ['no JSON', { status: 200, body: 'hello' }],
      ['nothing', 'silence' as const],
      ['the end of the connection', 'cut' as const],
      ['half of what the node says', 'half' as const],
    ])('outlives a provider that answers with %s for a while', async (_, fault) => {
      const index = createEventIndex(startBlock)
      const follower = start(index)
      await follower.settled()
      let faults = 0
      proxy.fault = () => {
        faults += 1
        return faults <= 3 ? fault : undefined
      }
      await mineWith(1)
      await follower.settled()
      expect(faults).toBeGreaterThan(3)
    })

    test('gets along with a provider that serves few blocks at a time', async () => {
      await anvil.mine(60)
      await mineWith(1)
      await anvil.mine(finalityBlocks)
      const cap = {
        status: 200,
        body: '{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"query returned more than 10000 results"}}',
      }
      let refused = 0
      const { logs } = reader
      reader = {
        ...reader,
        logs: (filter) => {
          proxy.fault = () => {
            if (filter.toBlock - filter.fromBlock < 7) return undefined
            refused += 1
            return cap
          }
          return logs(filter).finally(() => {
            proxy.fault = () => undefined
          })
        },
      }
      const index = createEventIndex(startBlock)
      await start(index).settled()
      expect(refused).toBeGreaterThan(0)
      expect(index.logs()).toHaveLength(1)
    })
  })
})
