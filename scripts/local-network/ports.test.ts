import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { choosePorts, type Ports, preferredPorts } from './ports.ts'

let folder: TemporaryFolder
let servers: Server[]
/** Far from the documented ports, where a developer's network may run while the tests do. */
const base = 21_000 + (process.pid % 80) * 100
const preferred = preferredPorts(3, base)

beforeEach(async () => {
  folder = await makeTemporaryFolder()
  servers = []
})
afterEach(async () => {
  for (const server of servers) server.close()
  await folder.remove()
})

function occupy(port: number): Promise<void> {
  const server = createServer()
  servers.push(server)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve())
  })
}

const choose = (options: { contentServices?: number; preferred?: Ports } = {}) =>
  choosePorts({ directory: folder.path, contentServices: 3, preferred, ...options })

describe('the ports of a network', () => {
  test('are the documented ones', () => {
    expect(preferredPorts(3)).toMatchObject({
      creator: 4600,
      discovery: 4610,
      content: [4620, 4621, 4622],
      chain: 4640,
      postgres: 4650,
      redis: 4660,
    })
  })

  test('give way one by one to what is taken, and the metrics port counts', async () => {
    await occupy(preferred.chain)
    await occupy(preferred.discovery + 1000)
    expect(await choose()).toEqual({
      ...preferred,
      chain: preferred.chain + 100,
      discovery: preferred.discovery + 100,
    })
  })

  test('are remembered, so that URLs stay the same when the port is free again', async () => {
    await occupy(preferred.redis)
    const first = await choose()
    servers[0]?.close()
    expect(await choose()).toEqual(first)
  })

  test('of last time are waited for when their owner has just died', async () => {
    const first = await choose()
    await occupy(preferred.chain)
    const again = choosePorts({ directory: folder.path, contentServices: 3, preferred, patienceMs: 20_000 })
    setTimeout(() => servers[0]?.close(), 50)
    expect(await again).toEqual(first)
  })

  test.each(['{"creator":', '{"creator":"4600"}', '[]'])(
    'a damaged memory %s is not believed',
    async (text) => {
      await writeFile(path.join(folder.path, 'ports.json'), text)
      expect(await choose()).toEqual(preferred)
    },
  )

  test('a memory of another number of content services is not used', async () => {
    await choose()
    const ports = await choose({ contentServices: 2, preferred: preferredPorts(2, base) })
    expect(ports.content).toHaveLength(2)
  })
})
