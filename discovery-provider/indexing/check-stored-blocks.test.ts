import { type ChainReader, createChainReader, ReorgTooDeep } from '@hexachord/platform/chain'
import {
  createSimulatedChain,
  type SimulatedChain,
  startSimulatedNode,
} from '@hexachord/platform/chain/testing'
import { createLogger } from '@hexachord/platform/process'
import { afterEach, expect, test } from '@jest/globals'
import { checkStoredBlocks } from './check-stored-blocks.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

/** @param first tells chains apart */
function chainOf(blocks: number, first = 0): SimulatedChain {
  const chain = createSimulatedChain(first)
  for (let count = 0; count < blocks; count += 1) chain.grow(0)
  return chain
}

/** What was indexed of a chain of thirty blocks of which 25 were final. */
function indexOf(chain: SimulatedChain) {
  const stored = chain.blocks().slice(25, 31).toReversed()
  const takenBack: number[] = []
  return {
    takenBack,
    checkpoint: { indexed: 30, finalized: 25 } as never,
    knownBlocks: async () => stored.map(({ number, hash }) => ({ number, hash })),
    takeBack: async (toBlock: number) => {
      takenBack.push(toBlock)
    },
  }
}

async function readerOf(...chains: SimulatedChain[]): Promise<ChainReader> {
  const nodes = await Promise.all(chains.map((chain) => startSimulatedNode(chain)))
  const reader = createChainReader({ rpcUrls: nodes.map(({ url }) => url), logger })
  open.push(reader, ...nodes)
  return reader
}

function check(index: ReturnType<typeof indexOf>, reader: ChainReader): Promise<void> {
  return checkStoredBlocks({ index, reader, startBlock: 1, metrics: { takenBack: () => undefined }, logger })
}

test('a start whose first node is on a branch of its own goes on with the one that has what is stored', async () => {
  const chain = chainOf(30)
  const index = indexOf(chain)
  await check(index, await readerOf(chainOf(32, 1), chain))
  expect(index.takenBack).toEqual([])
})

test('a start whose first node is on a branch of its own takes back what the other has replaced', async () => {
  const chain = chainOf(30)
  const index = indexOf(chain)
  chain.fork(2, [0, 0, 0])
  await check(index, await readerOf(chainOf(32, 1), chain))
  expect(index.takenBack).toEqual([28])
})

test('a start takes back nothing for blocks that a node does not have yet', async () => {
  const chain = chainOf(30)
  const index = indexOf(chain)
  const node = await startSimulatedNode(chain, (_, [number], result) => (Number(number) > 27 ? null : result))
  const reader = createChainReader({ rpcUrls: [node.url] })
  open.push(reader, node)
  await expect(check(index, reader)).rejects.toMatchObject({ name: 'MalformedAnswer' })
  expect(index.takenBack).toEqual([])
})

test('a start ends when every node has others in place of what was final, and says what to look at first', async () => {
  const chain = chainOf(30)
  const index = indexOf(chain)
  chain.fork(10, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  const started = check(index, await readerOf(chain, chain))
  await expect(started).rejects.toThrow(ReorgTooDeep)
  await expect(started).rejects.toThrow(/Look first at the nodes of the chain.*rebuild the index/)
})
