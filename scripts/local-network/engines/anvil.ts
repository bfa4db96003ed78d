import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { SetupError } from '../../setup/setup-error.ts'
import { originOf, thisMachine } from '../host.ts'
import { openLogFile } from '../log-file.ts'
import { startOwnedProcess } from '../owned-process.ts'
import { pause } from '../pause.ts'
import { requireFreePort } from '../ports.ts'
import { untilReady } from '../until-ready.ts'
import { openChainState } from './chain-state.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { blockNumber, callRpc } from './json-rpc.ts'

export const localChainId = 31337

const readyWithinMs = 30_000
/** What a kill -9 may lose at most, while saving is quick. */
const saveEveryMs = 1_000
/** Saving takes the time of the chain itself: at most this share of it. */
const savingShare = 0.1
/** States behind the head that calls may ask for; logs and blocks are all kept. */
const keptStates = 128

export type Anvil = Engine & {
  /** Writes the state now; also done every second while blocks come, and by `close`. */
  saveState(): Promise<void>
}

/**
 * Starts a chain that mines only when it is told to (see `createMiner`): anvil's own mining by
 * transaction stalls under load. It continues from the state in `directory`; a damaged file gives way to
 * the copy before it, which `report` tells. Finality is two blocks behind the head.
 *
 * @throws NotReadyError, SetupError, ChainStateError
 */
export async function startAnvil(options: EngineOptions & { report?(line: string): void }): Promise<Anvil> {
  const { directory, port, host = thisMachine, signal } = options
  await mkdir(directory, { recursive: true })
  const log = openLogFile(options.logFile ?? path.join(directory, 'anvil.log'))
  const report = options.report ?? ((line) => log.append(`${line}\n`))
  const state = openChainState(directory, report)
  const load = await state.choose()
  await requireFreePort(port, 'the chain')
  const child = await startOwnedProcess({
    ...host.within(anvilBinary(), [
      ...['--host', host.address, '--port', String(port), '--chain-id', String(localChainId)],
      ...['--no-mining', '--slots-in-an-epoch', '1', '--prune-history', String(keptStates), '--quiet'],
      ...(load === undefined ? [] : ['--load-state', load]),
    ]),
    cwd: directory,
    // It keeps a cache under its home, which is not ours to fill.
    env: { HOME: directory },
    log,
  })
  const url = originOf(port, host)
  await untilReady({
    name: 'The chain',
    child,
    log,
    deadlineMs: readyWithinMs,
    signal,
    isReady: async (probe) => Number(await callRpc(url, 'eth_chainId', [], probe)) === localChainId,
  })

  let savedBlock = load === undefined ? -1 : await blockNumber(url)
  const stopping = new AbortController()
  const saving = saveInTheBackground()

  async function saveState(): Promise<void> {
    const head = await blockNumber(url)
    await state.save(url)
    savedBlock = head
  }

  async function saveInTheBackground(): Promise<void> {
    let pauseMs = saveEveryMs
    while (await pause(pauseMs, stopping.signal)) {
      const startMs = performance.now()
      try {
        if ((await blockNumber(url)) !== savedBlock) await saveState()
      } catch (error) {
        if (child.exit() !== undefined) return
        report(`The state of the chain could not be saved, trying again: ${String(error)}`)
      }
      pauseMs = Math.max(saveEveryMs, (performance.now() - startMs) / savingShare)
    }
  }

  async function endSaving(): Promise<void> {
    stopping.abort()
    await saving
  }

  return {
    url,
    pid: child.pid,
    exited: child.exited,
    saveState,
    async close() {
      await endSaving()
      if (child.exit() === undefined) await saveState()
      await child.stop()
    },
    async kill() {
      await child.kill()
      await endSaving()
    },
  }
}

/** The binary itself: the package's own launcher would put one more process between us and it. */
export function anvilBinary(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const name = `@foundry-rs/anvil-${process.platform}-${arch}`
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/anvil`)
  } catch (error) {
    throw new SetupError(
      `The npm package ${name} is not installed. Run scripts/start or scripts/test, which install what is missing.`,
      { cause: error },
    )
  }
}
