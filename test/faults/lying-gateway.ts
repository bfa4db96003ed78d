import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A node that passes for another one, and gives other bytes than were asked for. */
export type LyingGateway = {
  readonly origin: string
  /** Blocks that it has lied about. */
  lies(): number
  close(): Promise<void>
}

/** What is asked of it is asked of `honest`, and in each block one byte is turned over. */
export async function startLyingGateway(honest: string): Promise<LyingGateway> {
  let lies = 0
  const server = createServer((request, response) => {
    answer(request.url ?? '/', request.method ?? 'GET').then(
      ({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type, 'content-length': body.length })
        response.end(request.method === 'HEAD' ? undefined : body)
      },
      (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
    )
  })

  async function answer(url: string, method: string) {
    const response = await fetch(honest + url, { method, signal: AbortSignal.timeout(5_000) })
    const body = Buffer.from(await response.arrayBuffer())
    const last = body.length - 1
    if (response.ok && url.startsWith('/ipfs/') && last >= 0) {
      lies += 1
      body.writeUInt8((body[last] ?? 0) ^ 1, last)
    }
    return { status: response.status, type: response.headers.get('content-type') ?? 'text/plain', body }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    lies: () => lies,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
