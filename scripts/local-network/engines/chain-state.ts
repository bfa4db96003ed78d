import { open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { callRpc } from './json-rpc.ts'

const unzip = promisify(gunzip)

/** Both copies of the chain's state are unreadable. */
export class ChainStateError extends Error {
  override name = 'ChainStateError'
}

/**
 * The files of a chain's state: the newest one and the one before it. We write them ourselves, since
 * anvil's own --state writes in place and leaves half a file when it is killed while it does.
 */
export type ChainState = {
  /** Asks the node for its whole state (blocks, logs, accounts) and writes it durably. */
  save(rpcUrl: string): Promise<void>
  /** The file to load, or undefined for a new chain. Throws ChainStateError when there are files but none is whole. */
  choose(): Promise<string | undefined>
}

export function openChainState(directory: string, report: (line: string) => void): ChainState {
  const newest = path.join(directory, 'chain.json')
  const previous = path.join(directory, 'chain.previous.json')
  return {
    async save(rpcUrl) {
      const dump = await callRpc(rpcUrl, 'anvil_dumpState', [])
      if (typeof dump !== 'string') throw new ChainStateError('anvil_dumpState did not answer with bytes')
      const draft = path.join(directory, 'chain.draft.json')
      await writeDurably(draft, await unzip(Buffer.from(dump.slice(2), 'hex')))
      await renameIfExists(newest, previous)
      await rename(draft, newest)
    },
    async choose() {
      const verdict = await inspect(newest)
      if (verdict === 'whole') return newest
      const earlier = await inspect(previous)
      if (earlier === 'whole') {
        report(`The state of the chain in ${newest} is ${verdict}; continuing from the copy before it`)
        return previous
      }
      if (verdict === 'absent' && earlier === 'absent') return undefined
      throw new ChainStateError(
        `No readable state of the chain is left in ${directory}. Start anew with --reset.`,
      )
    },
  }
}

async function inspect(file: string): Promise<'whole' | 'damaged' | 'absent'> {
  try {
    const state: unknown = JSON.parse(await readFile(file, 'utf8'))
    return typeof state === 'object' && state !== null && 'blocks' in state ? 'whole' : 'damaged'
  } catch (error) {
    if (error instanceof SyntaxError) return 'damaged'
    if (isMissing(error)) return 'absent'
    throw error
  }
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'w')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function renameIfExists(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
