import type { Logger } from '@hexachord/platform/process'
import pLimit from 'p-limit'
import type { RegisteredPeer } from '../ipfs-node.ts'

const firstDelayMs = 2_000
const longestDelayMs = 10 * 60_000
const defaultIntervalMs = 2_000

/** Dials at one time: enough to reach everybody soon after a start, too few to look like a scan. */
const dialConcurrency = 4

/**
 * How long to leave a peer alone after so many failures in a row: doubling from 2 s to 10 min, less up to a half,
 * so that peers which lost each other at the same moment do not dial at the same moment for ever.
 * @param random from 0 to below 1
 */
export function redialDelayMs(failures: number, random: number): number {
  const longest = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.max(0, failures - 1))
  return Math.round(longest * (1 - random / 2))
}

/**
 * Keeps a connection to each registered peer that has an address, and none to peers that are no longer registered.
 * @returns what ends it, after dials under way have ended
 */
export function keepConnected(options: {
  peers: () => readonly RegisteredPeer[]
  isConnected: (peerId: string) => boolean
  dial: (peer: RegisteredPeer, signal: AbortSignal) => Promise<void>
  dropUnregistered: () => Promise<void>
  logger: Pick<Logger, 'debug' | 'warn'>
  /** @default 2 s */
  intervalMs?: number
}): { close(): Promise<void> } {
  const { peers, isConnected, dial, dropUnregistered, logger } = options
  const closing = new AbortController()
  const setbacks = new Map<string, { failures: number; notBefore: number }>()
  const limit = pLimit(dialConcurrency)
  let timer: NodeJS.Timeout | undefined

  async function tryPeer(peer: RegisteredPeer): Promise<void> {
    try {
      await dial(peer, closing.signal)
      setbacks.delete(peer.peerId)
    } catch (err) {
      if (closing.signal.aborted) return
      const failures = (setbacks.get(peer.peerId)?.failures ?? 0) + 1
      const delayMs = redialDelayMs(failures, Math.random())
      setbacks.set(peer.peerId, { failures, notBefore: performance.now() + delayMs })
      logger.debug({ err, peerId: peer.peerId, failures, delayMs }, 'bitswap peer cannot be reached')
    }
  }

  async function round(): Promise<void> {
    await dropUnregistered()
    const registered = peers()
    const known = new Set(registered.map(({ peerId }) => peerId))
    for (const peerId of setbacks.keys()) if (!known.has(peerId)) setbacks.delete(peerId)
    const due = registered.filter(
      ({ peerId, addresses }) =>
        addresses.length > 0 &&
        !isConnected(peerId) &&
        (setbacks.get(peerId)?.notBefore ?? 0) <= performance.now(),
    )
    await Promise.all(due.map((peer) => limit(() => tryPeer(peer))))
  }

  async function run(): Promise<void> {
    try {
      await round()
    } catch (err) {
      // The registry's answer is the service's; whatever is wrong with it, the next round asks again.
      logger.warn({ err }, 'bitswap peers cannot be looked up')
    }
    if (!closing.signal.aborted) {
      timer = setTimeout(() => {
        running = run()
      }, options.intervalMs ?? defaultIntervalMs)
    }
  }

  let running = run()
  return {
    async close() {
      closing.abort()
      await running
      clearTimeout(timer)
    },
  }
}
