import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from '@jest/globals'
import { endLeftovers, findLeftovers, runVariable } from './leftovers.ts'

const server = `
  const server = require('node:http').createServer().listen(0, '127.0.0.1', () => console.log(server.address().port))`

// What is left is found in /proc, which macOS does not have.
if (process.platform === 'linux') {
  describe('what a suite leaves behind', () => {
    test('is every process with its mark, with the ports that it listens on', async () => {
      const run = `test-${process.pid}-${Date.now()}`
      const child = spawn(process.execPath, ['-e', server], {
        env: { [runVariable]: run },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [port] = await once(child.stdout, 'data')
      const leftovers = await findLeftovers(run, 0)
      expect(leftovers).toEqual([
        { pid: child.pid, command: expect.stringContaining('createServer'), ports: [Number(String(port))] },
      ])
      endLeftovers(leftovers)
      await once(child, 'exit')
      expect(await findLeftovers(run)).toEqual([])
      endLeftovers(leftovers)
    })

    test('is not a process that ends while one looks', async () => {
      const run = `test-${process.pid}-${Date.now()}`
      spawn('sleep', ['0.3'], { env: { PATH: process.env.PATH, [runVariable]: run }, stdio: 'ignore' })
      expect(await findLeftovers(run)).toEqual([])
    })
  })
}
