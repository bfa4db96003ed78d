import { once } from 'node:events'
import { type AddressInfo, connect, createServer, isIPv6, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'

/** Where other nodes reach a Kubo that listens on loopback alone. */
export type FrontDoor = {
  /** Multiaddrs without a peer id. */
  readonly addresses: readonly string[]
  close(): Promise<void>
}

/** A connection as Kubo sees it. */
export type KuboConnection = { readonly peerId: string; readonly address: string }

/** Until it is known who knocks, so much passes each way: handshakes need some 400 bytes, and no segment fits in. */
const unknownBytes = 1_024
const defaultKnownWithinMs = 10_000
const lookEveryMs = 50
/** Keys are free, and so are connections: whoever is not known yet can keep out only some of the others. */
const mostUnknown = 128
const mostUnknownOfAddress = 8
const mostConnections = 1_024

/**
 * Takes connections for Kubo, which lets in whoever dials it and keeps no list of peers. Who knocks is told by libp2p's
 * handshake, which is between the two of them; when it is done Kubo names the peer, and only for a registered one the rest
 * of what it says is passed on.
 * @param options.kuboPort where Kubo's swarm listens on 127.0.0.1
 * @param options.connections those that Kubo has at this moment
 * @throws what listening throws, such as EADDRINUSE
 */
export async function openFrontDoor(options: {
  listen: { readonly host: string; readonly port: number }
  kuboPort: () => number
  connections: (signal: AbortSignal) => Promise<readonly KuboConnection[]>
  allowPeer: (peerId: string) => boolean
  logger: Pick<Logger, 'debug'>
  /** How long somebody may be unknown, in ms. @default 10 s */
  knownWithinMs?: number
}): Promise<FrontDoor> {
  const { listen, connections, allowPeer, logger, knownWithinMs = defaultKnownWithinMs } = options
  const closing = new AbortController()
  const sockets = new Set<Socket>()
  /** By the port from which Kubo is reached for them. */
  const unknown = new Map<number, (peerId: string) => void>()
  const knocking = new Map<string, number>()
  let looking: Promise<void> | undefined

  function welcome(outer: Socket): void {
    const from = outer.remoteAddress ?? ''
    const others = [...knocking.values()].reduce((sum, count) => sum + count, 0)
    if (others >= mostUnknown || (knocking.get(from) ?? 0) >= mostUnknownOfAddress) {
      outer.destroy()
      return
    }
    const inner = connect({ host: '127.0.0.1', port: options.kuboPort() })
    const close = () => {
      outer.destroy()
      inner.destroy()
      forget()
    }
    const tooLate = setTimeout(close, knownWithinMs)
    const stopPassing = [passSome(outer, inner), passSome(inner, outer)]
    let port: number | undefined
    let isUnknown = true
    knocking.set(from, (knocking.get(from) ?? 0) + 1)
    for (const socket of [outer, inner]) {
      sockets.add(socket)
      socket.setNoDelay(true).setKeepAlive(true)
      // Each ends with the other, whatever is wrong with it.
      socket.on('error', close).once('close', () => {
        sockets.delete(socket)
        close()
      })
    }
    inner.once('connect', () => {
      port = inner.localPort
      if (!isUnknown || port === undefined) return
      unknown.set(port, know)
      looking ??= lookAround().finally(() => {
        looking = undefined
      })
    })

    function know(peerId: string): void {
      forget()
      if (!allowPeer(peerId)) {
        logger.debug({ peerId, from }, 'a peer that is not registered was not let in')
        close()
        return
      }
      for (const stop of stopPassing) stop()
      outer.pipe(inner)
      inner.pipe(outer)
    }

    function forget(): void {
      if (!isUnknown) return
      isUnknown = false
      clearTimeout(tooLate)
      if (port !== undefined) unknown.delete(port)
      const left = (knocking.get(from) ?? 1) - 1
      if (left > 0) knocking.set(from, left)
      else knocking.delete(from)
    }
  }

  /** Asks Kubo who they are, for as long as there is somebody. */
  async function lookAround(): Promise<void> {
    while (unknown.size > 0 && !closing.signal.aborted) {
      try {
        for (const { peerId, address } of await connections(closing.signal)) {
          const [, port] = /^\/ip4\/127\.0\.0\.1\/tcp\/(\d+)(\/|$)/.exec(address) ?? []
          unknown.get(Number(port))?.(peerId)
        }
        await delay(lookEveryMs, undefined, { signal: closing.signal })
      } catch (err) {
        if (closing.signal.aborted) return
        logger.debug({ err }, 'Kubo does not say who is connected')
        await delay(10 * lookEveryMs, undefined, { signal: closing.signal }).catch(() => undefined)
      }
    }
  }

  const server = createServer(welcome)
  server.maxConnections = mostConnections
  server.listen({ ...listen })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  return {
    addresses: hostsOf(listen.host).map((host) => `/${isIPv6(host) ? 'ip6' : 'ip4'}/${host}/tcp/${port}`),
    async close() {
      closing.abort(new DOMException('the node is closing', 'AbortError'))
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await Promise.all([closed, looking])
    },
  }
}

/** Passes the first bytes on and keeps the rest. @returns ends that */
function passSome(from: Socket, to: Socket): () => void {
  let left = unknownBytes
  function pass(chunk: Buffer): void {
    const passed = chunk.subarray(0, left)
    left -= passed.length
    to.write(passed)
    if (left > 0) return
    from.pause()
    if (passed.length < chunk.length) from.unshift(chunk.subarray(passed.length))
  }
  from.on('data', pass)
  return () => from.off('data', pass)
}

/** Addresses of this machine behind a host that means all of them. */
function hostsOf(host: string): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [host]
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return own.filter(({ family }) => host === '::' || family === 'IPv4').map(({ address }) => address)
}
