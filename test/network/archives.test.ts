import { type FaultProxy, startFaultProxy } from '@hexachord/platform/chain/testing'
import { type ArchiveEntry, archiveEntrySchema } from '@hexachord/protocol/archives'
import { userSubject } from '@hexachord/protocol/names'
import { listOf } from '@hexachord/protocol/rest'
import { eventually, testNetwork } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import {
  type AnotherProvider,
  discoveryStatusOf,
  startAnotherProvider,
  untilSameState,
} from './another-provider.ts'
import { newArtist } from './artist.ts'

jest.setTimeout(90_000)

const network = testNetwork()
const nodes = network.operators.map(({ endpoint }) => endpoint)

let publishedIn: number
let archives: ArchiveEntry[]

async function archivesOf(origin: string): Promise<ArchiveEntry[]> {
  const response = await fetch(`${origin}/archives?limit=500`, { signal: AbortSignal.timeout(5_000) })
  return [...listOf(archiveEntrySchema).parse(await response.json()).items]
}

beforeAll(async () => {
  const artist = await newArtist(network)
  const subject = userSubject(artist.account.address)
  const { status } = await artist.write('user', subject, { prev: null, name: 'Archivist' })
  publishedIn = status.block ?? Number.POSITIVE_INFINITY
  await mine(64)
  archives = await eventually(() => archivesOf(nodes[0] ?? ''), {
    describe: 'the epoch of the action is archived',
    deadlineMs: 40_000,
    until: (entries) => (entries.at(-1)?.toBlock ?? 0) >= publishedIn,
  })
})

describe('every node', () => {
  test('holds the same archives of final epochs', async () => {
    for (const origin of nodes) {
      const entries = await eventually(() => archivesOf(origin), {
        describe: `${origin} has archived the epoch too`,
        deadlineMs: 20_000,
        until: (found) => (found.at(-1)?.toBlock ?? 0) >= publishedIn,
      })
      expect(entries.slice(0, archives.length)).toEqual(archives)
    }
  })
})

describe('a new discovery provider on a chain node that has dropped old logs', () => {
  let proxy: FaultProxy
  let provider: AnotherProvider

  beforeAll(async () => {
    proxy = await startFaultProxy(network.urls.chain)
    // Pruned as far as the archives reach; the proxy cannot tell blocks, but it can tell when that is.
    let started = false
    proxy.fault = (methods) => {
      started ||= provider.lines().includes('archives have been indexed')
      if (started || !methods.includes('eth_getLogs')) return undefined
      const error = { code: 4444, message: 'pruned history unavailable' }
      return { status: 200, body: JSON.stringify({ jsonrpc: '2.0', id: null, error }) }
    }
    provider = await startAnotherProvider(network, `archives_${Date.now()}`, { RPC_URL: proxy.url })
  })
  afterAll(async () => {
    await provider?.remove()
    await proxy?.close()
  })

  test('finds the archives of operators by itself, and comes to the same state', async () => {
    const { origin } = provider
    const known = await discoveryStatusOf(network.urls.discovery)
    const status = await eventually(() => discoveryStatusOf(origin), {
      describe: 'the new provider has come as far as the old one was',
      deadlineMs: 60_000,
      until: ({ indexed }) => indexed >= known.indexed,
    })
    const out = provider.lines()
    const lines = out.split('\n').filter((line) => line.includes('"msg":"indexed the archive of an epoch"'))
    expect(lines.length).toBeGreaterThanOrEqual(archives.length)
    expect(out).not.toContain('an archive is false')
    await untilSameState(origin, network.urls.discovery)
    expect(status.chainId).toBe(known.chainId)
  })
})

/** Brings blocks, as time would on another chain: this one stands still while nobody writes. */
async function mine(blocks: number): Promise<void> {
  const body = { jsonrpc: '2.0', id: 1, method: 'anvil_mine', params: [`0x${blocks.toString(16)}`] }
  const headers = { 'content-type': 'application/json' }
  await fetch(network.urls.chain, { method: 'POST', headers, body: JSON.stringify(body) })
}
