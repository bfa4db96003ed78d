import { createServer } from 'node:net'
import { workerNumber } from './worker-number.ts'

/** Below those that systems give to outgoing connections, one of which could take a port before its server is started. */
const lowestPort = 20_000
/** For each of the workers of a suite. */
const portsOfWorker = 6_000

/** A port on loopback that nobody listens on at this moment, nor is given by chance to somebody else in the next. */
export async function freePort(): Promise<number> {
  const worker = workerNumber()
  for (;;) {
    const port = lowestPort + worker * portsOfWorker + Math.floor(Math.random() * portsOfWorker)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if ('code' in error && error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    })
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
