import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createLogger } from '@hexachord/platform/process'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../fixtures/eventually.ts'
import { type FrontDoor, type KuboConnection, openFrontDoor } from './front-door.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

/** In Kubo's place: takes everything, and names whom it is told to. */
let kubo: Server
let inside: Socket[]
let named: KuboConnection[]
let received: Buffer
let door: FrontDoor
let visitors: Socket[]

async function open(knownWithinMs = 60_000): Promise<void> {
  door = await openFrontDoor({
    listen: { host: '127.0.0.1', port: 0 },
    kuboPort: () => (kubo.address() as AddressInfo).port,
    connections: async () => named,
    allowPeer: (peerId) => peerId === 'registered',
    ...{ logger, knownWithinMs },
  })
}

beforeEach(async () => {
  ;[inside, named, visitors, received] = [[], [], [], Buffer.alloc(0)]
  kubo = createServer((socket) => {
    inside.push(socket)
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
      })
  })
  kubo.listen(0, '127.0.0.1')
  await once(kubo, 'listening')
})
afterEach(async () => {
  for (const socket of [...visitors, ...inside]) socket.destroy()
  await door.close()
  kubo.close()
})

function visit(): Socket {
  const [address = ''] = door.addresses
  const socket = connect({ host: '127.0.0.1', port: Number(address.split('/').at(-1)) })
  socket.on('error', () => {})
  visitors.push(socket)
  return socket
}

/** However it ends. */
const ended = (socket: Socket | undefined) =>
  new Promise<void>((resolve) => {
    socket?.once('close', () => resolve())
  })
const isInside = () =>
  eventually(
    () => inside.length,
    (count) => count > 0,
  )

function name(peerId: string): void {
  const [socket] = inside
  named.push({ peerId, address: `/ip4/127.0.0.1/tcp/${socket?.remotePort}` })
}

describe('the front door of a Kubo', () => {
  test('passes all that a registered peer says, and is told, in order', async () => {
    await open()
    const visitor = visit()
    const [said, told] = [Buffer.alloc(300_000, 'question '), Buffer.alloc(400_000, 'answer ')]
    let heard = Buffer.alloc(0)
    visitor.on('data', (chunk) => {
      heard = Buffer.concat([heard, chunk])
    })
    visitor.write(said)
    await isInside()
    inside[0]?.write(told)
    await eventually(
      () => [received.length, heard.length],
      (lengths) => lengths.join() === '1024,1024',
    )
    name('registered')
    await eventually(
      () => [received.length, heard.length],
      (lengths) => lengths.join() === '300000,400000',
    )
    expect([received.equals(said), heard.equals(told)]).toEqual([true, true])
  })

  test('passes a kilobyte of what a stranger says, and ends when Kubo has named it', async () => {
    await open()
    const visitor = visit()
    visitor.write(Buffer.alloc(300_000))
    await isInside()
    await eventually(
      () => received.length,
      (length) => length === 1_024,
    )
    name('somebody')
    await ended(visitor)
    expect(received.length).toBe(1_024)
  })

  test('ends for whom Kubo never names', async () => {
    await open(50)
    const visitor = visit()
    await ended(visitor)
    expect(received.length).toBe(0)
  })

  test('ends on the other side when either side ends', async () => {
    await open()
    const visitor = visit()
    await isInside()
    name('registered')
    visitor.write('hello')
    await eventually(
      () => received.length,
      (length) => length === 5,
    )
    const gone = ended(inside[0])
    visitor.destroy()
    await gone
  })

  test('has room for eight at a time of one address that are not known yet', async () => {
    await open()
    const all = Array.from({ length: 8 }, visit)
    await eventually(
      () => inside.length,
      (count) => count === 8,
    )
    await ended(visit())
    all[0]?.destroy()
    await eventually(
      () => {
        visit()
        return inside.length
      },
      (count) => count > 8,
    )
  })

  test('ends for everybody when it closes', async () => {
    await open()
    const visitor = visit()
    await isInside()
    const closed = ended(visitor)
    await door.close()
    await closed
    await open()
  })
})
