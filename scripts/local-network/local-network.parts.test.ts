import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { readNetworkFile } from '@hexachord/contracts/networks'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { findRunningNetwork } from '../setup/index.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { testPortBase } from '../testing/test-ports.ts'
import { type LocalNetworkOptions, preferredPorts, resetLocalNetwork, startLocalNetwork } from './index.ts'
import { requireFreePort } from './ports.ts'

let folder: TemporaryFolder
let directory: string
const ports = preferredPorts(1, testPortBase())
beforeEach(async () => {
  folder = await makeTemporaryFolder()
  directory = path.join(folder.path, 'a network')
})
afterEach(() => folder.remove())

const start = (options: Partial<LocalNetworkOptions> = {}) =>
  startLocalNetwork({
    directory,
    ports,
    contentServices: 1,
    signal: AbortSignal.timeout(120_000),
    ...options,
  })

async function isReady(origin: string): Promise<boolean> {
  return (await fetch(`${origin}/ready`)).ok
}

describe('a local network', () => {
  test('is up when it says so, goes on where it stopped, and is gone after a reset', async () => {
    const steps: string[] = []
    const first = await start({ onStep: ({ step, endedAfterMs }) => endedAfterMs ?? steps.push(step) })
    try {
      expect(steps).toEqual(['engines', 'operators', 'services'])
      const { urls } = first
      for (const origin of [urls.creator, urls.discovery, ...urls.content])
        expect(await isReady(origin)).toBe(true)
      expect(findRunningNetwork(directory)).toBe(process.pid)
      await expect(start()).rejects.toThrow(`already runs from ${directory} (pid ${process.pid})`)
      await expect(resetLocalNetwork(directory)).rejects.toThrow('already runs')
    } finally {
      await first.stop()
    }
    for (const origin of [first.urls.creator, first.urls.chain])
      await requireFreePort(Number(new URL(origin).port), 'us')
    const contracts = (await readNetworkFile(first.networkFile)).contracts

    const second = await start()
    try {
      expect(second.urls).toEqual(first.urls)
      expect(second.operators).toEqual(first.operators)
      expect((await readNetworkFile(second.networkFile)).contracts).toEqual(contracts)
    } finally {
      await second.stop()
    }
    await resetLocalNetwork(directory)
    await expect(readFile(first.networkFile)).rejects.toThrow('ENOENT')
  }, 120_000)

  test('leaves nothing behind when one of its services does not start, and says why', async () => {
    const broken = start({ redisUrl: 'http://127.0.0.1:1' })
    await expect(broken).rejects.toThrow(
      /creator-node ended with code \d+ before it was ready[\s\S]*REDIS_URL/,
    )
    expect(findRunningNetwork(directory)).toBeUndefined()
    for (const port of [ports.chain, ports.discovery, ports.creator, ports.postgres])
      await requireFreePort(port, 'us')
  }, 120_000)

  test('leaves nothing behind when its start is called off', async () => {
    const stop = new AbortController()
    const starting = start({
      signal: stop.signal,
      onStep: ({ step }) => step === 'services' && stop.abort(new Error('changed my mind')),
    })
    await expect(starting).rejects.toThrow('changed my mind')
    expect(findRunningNetwork(directory)).toBeUndefined()
    for (const port of [ports.chain, ports.discovery, ports.creator, ports.postgres])
      await requireFreePort(port, 'us')
  }, 120_000)
})
