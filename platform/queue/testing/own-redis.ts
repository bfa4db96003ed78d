import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'

/** A Redis of the test's own, which it can stop and start again. It keeps nothing on disk. */
export type OwnRedis = {
  readonly url: string
  start(): Promise<void>
  /** As a crash would: at once, and without a word to its clients. */
  kill(): Promise<void>
}

export async function ownRedis(): Promise<OwnRedis> {
  const port = await freePort()
  let child: ChildProcess | null = null
  return {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      const args = [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--save',
        '',
        '--appendonly',
        'no',
        '--dir',
        '/',
      ]
      const started = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] })
      child = started
      await new Promise<void>((resolve, reject) => {
        started.once('error', reject)
        started.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)))
        started.stdout.on('data', (text) => {
          if (String(text).includes('Ready to accept connections')) resolve()
        })
      })
    },
    async kill() {
      const running = child
      child = null
      if (running === null) return
      const exited = new Promise((resolve) => running.once('exit', resolve))
      running.kill('SIGKILL')
      await exited
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
