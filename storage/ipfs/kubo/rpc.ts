import { multiaddr } from '@multiformats/multiaddr'
import { create } from 'ipfs-http-client'
import { CID } from 'multiformats/cid'
import { abortable } from '../abortable.ts'
import type { KuboConnection } from './front-door.ts'
import { KuboUnavailable, keptByOthers, notFoundLocally, rpcFailure } from './rpc-failure.ts'

/**
 * What this backend asks of Kubo, over its RPC. Blocks go by the raw CID of their digest: Kubo keeps blocks by digest,
 * and a raw block is one that it neither decodes nor follows links in. Only `fetch` may make Kubo ask others.
 * Each call ends after a time-out of its own, or with the reason of its signal.
 * @throws KuboUnavailable, KuboRefused, KuboFailed
 */
export type KuboRpc = {
  /** As messages may show it. */
  readonly url: string
  identity(signal?: AbortSignal): Promise<{ peerId: string; addresses: string[] }>
  /** The configuration file, without its secrets. */
  config(signal?: AbortSignal): Promise<Record<string, unknown>>
  /** @throws StorageFull */
  put(bytes: Uint8Array, signal?: AbortSignal): Promise<string>
  /** The bytes that Kubo itself has under a name, unverified; null when it has none. */
  get(cid: string, signal?: AbortSignal): Promise<Uint8Array | null>
  /** How many bytes Kubo itself has under a name; null when it has none. */
  size(cid: string, signal?: AbortSignal): Promise<number | null>
  /** A block from Kubo or, by bitswap, from the peers that it is connected to. Waits until `signal` says no. */
  fetch(cid: string, signal: AbortSignal): Promise<Uint8Array>
  /** Lets a block go, unless somebody has pinned it. One that is not there is no error. */
  remove(cid: string, signal?: AbortSignal): Promise<void>
  /** Keeps this one block from `ipfs repo gc`. @returns false when the block is not there */
  pin(cid: string, signal?: AbortSignal): Promise<boolean>
  /** A pin that is not there is no error. */
  unpin(cid: string, signal?: AbortSignal): Promise<void>
  connections(signal?: AbortSignal): Promise<KuboConnection[]>
  connect(address: string, signal?: AbortSignal): Promise<void>
  disconnect(peerId: string, signal?: AbortSignal): Promise<void>
}

/** A pin index of millions of blocks on a slow disk is still quicker. */
const callTimeoutMs = 30_000

/** Under this name `ipfs pin ls --names` shows what is ours. */
const pinName = 'hexachord'

const here = { offline: true } as const

/**
 * @param secret as in Kubo's API.Authorizations: `bearer:TOKEN`, `basic:USER:PASSWORD`, or a bare token
 * @param beforeCall lets a call through, or keeps it from Kubo by its error
 * @param onUnavailable told when a call found nobody there
 */
export function createKuboRpc(options: {
  url: string
  secret?: string | undefined
  timeoutMs?: number | undefined
  beforeCall?: (() => Promise<void>) | undefined
  onUnavailable?: (() => void) | undefined
}): KuboRpc {
  const { url, secret, timeoutMs = callTimeoutMs } = options
  const client = create({
    url,
    ...(secret === undefined ? {} : { headers: { authorization: authorizationOf(secret) } }),
  })

  async function call<Result>(
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const patience = AbortSignal.timeout(timeoutMs)
    const either = signal === undefined ? patience : AbortSignal.any([signal, patience])
    try {
      return await untimed(either, work)
    } catch (error) {
      signal?.throwIfAborted()
      if (!patience.aborted) throw error
      options.onUnavailable?.()
      throw rpcFailure(url, new Error(`nothing in ${timeoutMs} ms`), { timedOut: true })
    }
  }

  async function untimed<Result>(
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    signal.throwIfAborted()
    if (options.beforeCall !== undefined) await abortable(options.beforeCall(), signal)
    try {
      return await work(signal)
    } catch (error) {
      signal.throwIfAborted()
      const failure = rpcFailure(url, error, { timedOut: false })
      if (failure instanceof KuboUnavailable) options.onUnavailable?.()
      throw failure
    }
  }

  /** Null where Kubo says that it has no such block or pin. */
  async function orNull<Result>(work: Promise<Result>): Promise<Result | null> {
    try {
      return await work
    } catch (error) {
      if (notFoundLocally(error)) return null
      throw error
    }
  }

  return {
    url: new URL(url).origin,
    identity: (signal) =>
      call(signal, async (either) => {
        const { id, addresses } = await client.id({ signal: either })
        return { peerId: id.toString(), addresses: addresses.map(String) }
      }),
    config: (signal) =>
      call(signal, async (either) => ({ ...(await client.config.getAll({ signal: either })) })),
    put: (bytes, signal) =>
      call(signal, async (either) =>
        (
          await client.block.put(bytes, { ...here, mhtype: 'sha2-256', pin: false, signal: either })
        ).toString(),
      ),
    get: (cid, signal) =>
      call(signal, (either) => orNull(client.block.get(CID.parse(cid), { ...here, signal: either }))),
    size: (cid, signal) =>
      call(signal, async (either) => {
        const found = await orNull(client.block.stat(CID.parse(cid), { ...here, signal: either }))
        if (found === null) return null
        // Something else that answers in Kubo's place may leave it out.
        if (!Number.isSafeInteger(found.size)) throw new Error(`its size of block ${cid} is no number`)
        return found.size
      }),
    fetch: (cid, signal) => untimed(signal, (either) => client.block.get(CID.parse(cid), { signal: either })),
    remove: (cid, signal) =>
      call(signal, async (either) => {
        const removing = client.block.rm(CID.parse(cid), { ...here, force: true, signal: either })
        for await (const { error } of removing) {
          if (error !== undefined && !keptByOthers(error)) throw error
        }
      }),
    pin: (cid, signal) =>
      call(signal, async (either) => {
        const pinning = client.pin.add(CID.parse(cid), {
          ...here,
          recursive: false,
          name: pinName,
          signal: either,
        })
        return (await orNull(pinning)) !== null
      }),
    unpin: (cid, signal) =>
      call(signal, async (either) => {
        await orNull(client.pin.rm(CID.parse(cid), { ...here, recursive: false, signal: either }))
      }),
    connections: (signal) =>
      call(signal, async (either) => {
        const connected = await client.swarm.peers({ signal: either })
        return connected.map(({ peer, addr }) => ({ peerId: peer.toString(), address: addr.toString() }))
      }),
    connect: (address, signal) =>
      call(signal, async (either) => {
        await client.swarm.connect(multiaddr(address), { signal: either })
      }),
    disconnect: (peerId, signal) =>
      call(signal, async (either) => {
        await client.swarm.disconnect(multiaddr(`/p2p/${peerId}`), { signal: either })
      }),
  }
}

function authorizationOf(secret: string): string {
  const [, kind, rest = secret] = /^(basic|bearer):(.*)$/.exec(secret) ?? []
  if (kind === 'basic') return `Basic ${rest.includes(':') ? btoa(rest) : rest}`
  return `Bearer ${rest}`
}
