import { type GuardedFetch, isPublicAddress } from '@hexachord/platform/http'
import type { Logger } from '@hexachord/platform/process'
import { parsed } from '@hexachord/protocol/checked'
import type { Address } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import { nodeStatusSchema } from '@hexachord/protocol/rest'
import { multiaddr } from '@multiformats/multiaddr'
import pLimit from 'p-limit'
import type { Catalogue } from '../catalogue/index.ts'
import type { RegisteredPeer } from '../ipfs/index.ts'
import { peerIdFromHex } from './peer-id.ts'

/** Where registered operators can be reached over libp2p. Its two functions are what the embedded IPFS node asks for. */
export type PeerAddresses = {
  /** Whether a peer id is that of an active operator. */
  allowPeer(peerId: string): boolean
  /** Active operators but this one, each with the addresses that its `/status` last gave. */
  peers(): readonly RegisteredPeer[]
  close(): Promise<void>
}

/** What a node says of its addresses is asked again so often, since it may move. */
const defaultIntervalMs = 60_000
/** A peer that is not known yet is asked again soon: it may just be starting. */
const defaultRetryMs = 3_000
const statusTimeoutMs = 5_000
const statusBytes = 64 * 1024
const asksAtOnce = 8
/** Addresses taken from one peer; more would only keep the dialler busy. */
const addressesPerPeer = 8

/**
 * Learns the libp2p addresses of registered operators from their `/status` and forgets those who leave. A status whose
 * peer id is not the registry's is not believed.
 * @param options.self this node's operator
 */
export function peerAddresses(options: {
  catalogue: Pick<Catalogue, 'operators' | 'onChange'>
  fetch: GuardedFetch
  self: Address
  /** Whether to believe addresses in private networks. */
  allowPrivateAddresses: boolean
  logger: Logger
  /** @default 60 s */
  intervalMs?: number
  /** @default 3 s */
  retryMs?: number
}): PeerAddresses {
  const { catalogue, fetch, self, logger } = options
  const intervalMs = options.intervalMs ?? defaultIntervalMs
  const retryMs = options.retryMs ?? defaultRetryMs
  const closing = new AbortController()
  const limit = pLimit(asksAtOnce)
  const known = new Map<Address, { peerId: string; addresses: readonly string[] }>()
  let timer: NodeJS.Timeout | undefined
  let running = Promise.resolve()
  /** Whether a round waits for the one before it; one is enough for any number of changes. */
  let queued = false

  function others(): { operator: Operator; peerId: string }[] {
    return [...catalogue.operators().values()].flatMap((operator) => {
      const peerId =
        operator.active && operator.operator !== self ? peerIdFromHex(operator.peerId) : undefined
      return peerId === undefined ? [] : [{ operator, peerId }]
    })
  }

  async function ask({ operator, peerId }: { operator: Operator; peerId: string }): Promise<boolean> {
    const learnt = await statusAddresses(operator, peerId)
    if (learnt !== undefined) known.set(operator.operator, { peerId, addresses: learnt })
    return learnt !== undefined
  }

  async function statusAddresses(operator: Operator, peerId: string): Promise<string[] | undefined> {
    const { endpoint } = operator
    try {
      const response = await fetch(new URL('/status', endpoint), {
        signal: closing.signal,
        timeoutMs: statusTimeoutMs,
        maxBytes: statusBytes,
      })
      const { ipfs } = parsed(nodeStatusSchema, await response.json())
      if (ipfs.peerId !== peerId) {
        logger.warn(
          { endpoint, says: ipfs.peerId, registered: peerId },
          'node has another peer id than registered',
        )
        return []
      }
      return ipfs.addresses
        .filter((address) => isDialable(address, options.allowPrivateAddresses))
        .slice(0, addressesPerPeer)
    } catch (err) {
      // Whatever a stranger's endpoint does, it must not end this node.
      if (!closing.signal.aborted) logger.debug({ err, endpoint }, 'status of a peer cannot be read')
      return undefined
    }
  }

  async function round(): Promise<void> {
    const wanted = others()
    const names = new Set(wanted.map(({ operator }) => operator.operator))
    for (const name of known.keys()) if (!names.has(name)) known.delete(name)
    const learnt = await Promise.all(wanted.map((peer) => limit(() => ask(peer))))
    if (closing.signal.aborted) return
    timer = setTimeout(start, learnt.every(Boolean) ? intervalMs : retryMs)
  }

  function start(): void {
    clearTimeout(timer)
    if (queued) return
    queued = true
    running = running.then(() => {
      queued = false
      return round()
    })
  }

  const unsubscribe = catalogue.onChange(({ operators }) => {
    if (operators) start()
  })
  start()

  return {
    allowPeer: (peerId) => others().some((peer) => peer.peerId === peerId),
    peers: () =>
      others().map(({ operator, peerId }) => {
        const found = known.get(operator.operator)
        return { peerId, addresses: found?.peerId === peerId ? found.addresses : [] }
      }),
    async close() {
      unsubscribe()
      clearTimeout(timer)
      closing.abort(new DOMException('the peer list is closing', 'AbortError'))
      await running
      clearTimeout(timer)
    },
  }
}

/** An operator must not send us to dial into somebody's private network. */
export function isDialable(text: string, allowPrivateAddresses: boolean): boolean {
  try {
    const [host] = multiaddr(text).getComponents()
    if (host?.value === undefined) return false
    if (host.name === 'ip4' || host.name === 'ip6')
      return allowPrivateAddresses || isPublicAddress(host.value)
    // A DNS name is resolved at the dial, where nothing checks what it resolves to.
    return allowPrivateAddresses && (host.name === 'dns4' || host.name === 'dns6')
  } catch (error) {
    if (error instanceof Error) return false
    throw error
  }
}
