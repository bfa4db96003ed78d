import { createServer } from 'node:net'

/** A port on loopback that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
      server.close(() => resolve(address.port))
    })
  })
}
