import type { Socket } from 'node:net'

/** When a peer that does not take what is sent to it loses its connection. */
export type SlowReaderLimits = {
  /** For what was written at one time, at most a block of 1 MiB: slower than any music plays. @default 60 s */
  patienceMs: number
  /** While more than `waitingBytes` wait in memory for all peers together. @default 10 s */
  crowdedPatienceMs: number
  /** @default 256 MiB */
  waitingBytes: number
  /** How often they are looked at. @default 5 s */
  everyMs: number
}

const defaults: SlowReaderLimits = {
  patienceMs: 60_000,
  crowdedPatienceMs: 10_000,
  waitingBytes: 256 * 1024 ** 2,
  everyMs: 5_000,
}

type Stall = { readonly socket: Socket; readonly takenBytes: number; readonly sinceMs: number }

/**
 * Cuts connections whose peers take nothing, or next to nothing: each holds the answer that it was promised. When many
 * of them fill the memory, those that have waited for the longest go first.
 * @param sockets as they come and go
 */
export function cutSlowReaders(
  sockets: Iterable<Socket>,
  limits: Partial<SlowReaderLimits> = {},
): { close(): void } {
  const { patienceMs, crowdedPatienceMs, waitingBytes, everyMs } = { ...defaults, ...limits }
  let stalls = new Map<Socket, Stall>()

  function look(): void {
    const now = performance.now()
    const before = stalls
    stalls = new Map()
    let waiting = 0
    for (const socket of sockets) {
      if (socket.writableLength === 0) continue
      // A write counts as a whole, once the kernel has taken all of it.
      const takenBytes = socket.bytesWritten - socket.writableLength
      const known = before.get(socket)
      const stall = known?.takenBytes === takenBytes ? known : { socket, takenBytes, sinceMs: now }
      if (now - stall.sinceMs >= patienceMs) {
        socket.destroy()
        continue
      }
      stalls.set(socket, stall)
      waiting += socket.writableLength
    }
    if (waiting > waitingBytes) makeRoom(waiting - waitingBytes, now)
  }

  function makeRoom(bytes: number, now: number): void {
    let left = bytes
    for (const { socket, sinceMs } of [...stalls.values()].sort((a, b) => a.sinceMs - b.sinceMs)) {
      if (left <= 0 || now - sinceMs < crowdedPatienceMs) return
      left -= socket.writableLength
      socket.destroy()
    }
  }

  const timer = setInterval(look, everyMs)
  timer.unref()
  return { close: () => clearInterval(timer) }
}
