import { createHash } from 'node:crypto'
import { encodeDagJson, linkTo } from '@hexachord/protocol/cids'
import { afterEach, beforeEach } from '@jest/globals'
import type { IpfsNode } from '../ipfs-node.ts'

/** One node with a store of its own. */
export type NodeUnderTest = {
  readonly node: IpfsNode
  /** Closes the node and opens the same store again. @returns the new node */
  restart(): Promise<IpfsNode>
  /** Flips one bit of a stored block where the node cannot see it. */
  flipBit(cid: string): Promise<void>
  /** Lets what the node stands on answer nothing any more when it is asked for a block. @returns how it goes on */
  stall(cid: string): Promise<() => void>
  /** Moves the node's clock, for leases and graces. */
  passTime(ms: number): void
  /** Closes the node and removes its store. */
  destroy(): Promise<void>
}

/** Makes a node with an empty store. */
export type IpfsNodeFactory = () => Promise<NodeUnderTest>

/** A fresh node before each test of the surrounding `describe`, gone after it. */
export function freshNode(factory: IpfsNodeFactory): {
  readonly node: IpfsNode
  readonly subject: NodeUnderTest
} {
  let current: NodeUnderTest | undefined
  beforeEach(async () => {
    current = await factory()
  })
  afterEach(async () => {
    await current?.destroy()
    current = undefined
  })
  const subject = () => {
    if (current === undefined) throw new Error('there is a node only while a test runs')
    return current
  }
  return {
    get node() {
      return subject().node
    },
    get subject() {
      return subject()
    },
  }
}

/** Bytes that look random and are the same for the same seed. */
export function sampleBytes(seed: string, length = 2_000): Uint8Array {
  return new Uint8Array(createHash('shake256', { outputLength: length }).update(seed).digest())
}

/** A dag-json block that links to blocks. */
export function listOf(cids: readonly string[], label = ''): Uint8Array {
  return encodeDagJson({ label, links: cids.map(linkTo) })
}

export async function putSample(node: IpfsNode, seed: string, length?: number): Promise<string> {
  return node.put(sampleBytes(seed, length), 'raw')
}

export async function putList(node: IpfsNode, cids: readonly string[], label?: string): Promise<string> {
  return node.put(listOf(cids, label), 'dag-json')
}

export async function gather<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}
