import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../testing/eventually.ts'
import { cutSlowReaders, type SlowReaderLimits } from './slow-readers.ts'

/** More than the kernel takes for a peer that does not read. */
const answerBytes = 32 * 1024 * 1024
const never = 600_000

describe('a client that does not take its answer', () => {
  const body = Buffer.alloc(answerBytes)
  const small = Buffer.alloc(100_000)
  const sockets = new Set<Socket>()
  const clients: Socket[] = []
  let server: Server
  let watch: { close(): void } | undefined

  beforeEach(async () => {
    server = createServer(({ url }, response) => void response.end(url === '/small' ? small : body))
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterEach(async () => {
    watch?.close()
    for (const client of clients.splice(0)) client.destroy()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    sockets.clear()
  })

  const start = (limits: Partial<SlowReaderLimits>) => {
    watch = cutSlowReaders(sockets, { everyMs: 10, ...limits })
  }
  const port = () => (server.address() as AddressInfo).port
  /** Connections that hold something of their answers. Their number only: to show one takes longer than to wait for it. */
  const waiting = () => [...sockets].filter(({ writableLength }) => writableLength > 0).length

  async function askAndNotRead(): Promise<void> {
    const before = waiting()
    const client = connect(port(), '127.0.0.1')
    client.on('error', () => {})
    clients.push(client)
    client.pause()
    client.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n')
    await eventually(() => expect(waiting()).toBe(before + 1))
  }

  test('loses its connection, and others do not', async () => {
    await askAndNotRead()
    start({ patienceMs: 200 })
    const whole = await fetch(`http://127.0.0.1:${port()}/small`)
    expect((await whole.arrayBuffer()).byteLength).toBe(small.length)
    await eventually(() => expect(waiting()).toBe(0))
  })

  test('goes first when many of them fill the memory, and only as many go as have to', async () => {
    for (let times = 0; times < 3; times += 1) await askAndNotRead()
    const [first, second, third] = sockets
    start({ patienceMs: never, crowdedPatienceMs: 50, waitingBytes: 1.5 * answerBytes })
    await eventually(() => expect(first?.destroyed && second?.destroyed).toBe(true))
    expect(third?.destroyed).toBe(false)
  })

  test('keeps it while there is room', async () => {
    await askAndNotRead()
    start({ patienceMs: never, crowdedPatienceMs: 0, waitingBytes: 3 * answerBytes })
    const whole = await fetch(`http://127.0.0.1:${port()}/`)
    expect((await whole.arrayBuffer()).byteLength).toBe(answerBytes)
    expect(waiting()).toBe(1)
  })
})
