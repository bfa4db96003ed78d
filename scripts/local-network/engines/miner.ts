import { pause } from '../pause.ts'
import { callRpc } from './json-rpc.ts'

export type Miner = {
  /** Stops mining; resolves when no question of ours is under way. */
  close(): Promise<void>
}

/**
 * Mines a block each `everyMs` while transactions wait, and one each `idleEveryMs` when none does, so that
 * finality moves on without filling the state with empty blocks. After the last transaction it mines as
 * many blocks as finality needs, so that what was sent becomes final without waiting for the idle ones.
 * A chain that is away for a moment is reported once and asked again.
 */
export function createMiner(options: {
  rpcUrl: string
  /** @default 1_000 */
  everyMs?: number
  /** @default 60_000 */
  idleEveryMs?: number
  /** Blocks mined after the last transaction. @default 2 */
  finalityBlocks?: number
  report?(line: string): void
}): Miner {
  const { rpcUrl, everyMs = 1_000, idleEveryMs = 60_000, finalityBlocks = 2, report = () => {} } = options
  const stopping = new AbortController()
  let lastMs = Date.now()
  let owed = 0
  let away = false

  async function mineIfDue(): Promise<void> {
    const waiting = await waitingTransactions(rpcUrl, stopping.signal)
    if (waiting > 0) owed = finalityBlocks + 1
    const idle = Date.now() - lastMs >= idleEveryMs
    if (owed === 0 && !idle) return
    await callRpc(rpcUrl, 'evm_mine', [], stopping.signal)
    lastMs = Date.now()
    owed = Math.max(0, owed - 1)
  }

  async function run(): Promise<void> {
    while (await pause(everyMs, stopping.signal)) {
      try {
        await mineIfDue()
        away = false
      } catch (error) {
        if (stopping.signal.aborted) return
        if (!away) report(`The chain does not answer its miner: ${String(error)}`)
        away = true
      }
    }
  }

  const running = run()
  return {
    async close() {
      stopping.abort()
      await running
    },
  }
}

async function waitingTransactions(rpcUrl: string, signal: AbortSignal): Promise<number> {
  const pool = await callRpc(rpcUrl, 'txpool_status', [], signal)
  if (typeof pool !== 'object' || pool === null || !('pending' in pool)) {
    throw new Error('txpool_status did not answer with counts')
  }
  return Number(pool.pending)
}
