import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createRpc, type Rpc } from '../rpc.ts'

/** A real node of its own, which mines when told to. */
export type Anvil = {
  readonly url: string
  readonly rpc: Rpc
  mine(blocks?: number): Promise<void>
  /** Replaces the newest blocks by empty ones of the same heights. */
  reorg(depth: number): Promise<void>
  /** Removes the newest blocks. */
  rollBack(depth: number): Promise<void>
  /** Sends a call of the ledger contract and leaves it in the pool. */
  write(key: number): Promise<string>
  head(): Promise<number>
  close(): Promise<void>
}

export const chainId = 31_337

/** An account that anvil funds and signs for. */
const author = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'

/** Another one, with its key, for the senders under test. */
export const relayerKey = '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'

export const ledger = '0x00000000000000000000000000000000000005ed'

/** The ledger takes a word and logs it, or reverts with `Used(bytes32)` when it was given before. */
const ledgerCode = [
  '0x600035', // the word
  '8054601957', // is its slot set? then go on at 0x19
  '60019055', // set it
  '366000600037', // copy the call data
  '602a366000a100', // log it under the topic 42, and stop
  '5b63eee15b4e60e01b600052', // 0x19: the selector of the error
  '60045260246000fd', // the word behind it, and revert with both
].join('')

/** The interface of that error, as the sender decodes it. */
export const ledgerErrors = ['error Used(bytes32 word)']

export function wordOf(key: number): string {
  return `0x${key.toString(16).padStart(64, '0')}`
}

export async function startAnvil(): Promise<Anvil> {
  const home = mkdtempSync(join(tmpdir(), 'anvil-'))
  const args = ['--host', '127.0.0.1', '--port', '0', '--chain-id', String(chainId), '--no-mining']
  const child = spawn(anvilBinary(), args, { env: { HOME: home }, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const port = await new Promise<string>((resolve, reject) => {
    let output = ''
    const read = (text: unknown) => {
      output += String(text)
      const listening = /Listening on 127\.0\.0\.1:(\d+)/.exec(output)
      if (listening?.[1] !== undefined) resolve(listening[1])
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(`anvil ended with ${code}: ${output}`)))
  })
  const url = `http://127.0.0.1:${port}`
  const rpc = createRpc({ url, timeoutMs: 10_000 })
  const mine = async (blocks = 1) => {
    await rpc.call('anvil_mine', [`0x${blocks.toString(16)}`])
  }
  await rpc.call('anvil_setCode', [ledger, ledgerCode])
  await mine()
  return {
    url,
    rpc,
    mine,
    async reorg(depth) {
      await rpc.call('anvil_reorg', [depth, []])
    },
    async rollBack(depth) {
      await rpc.call('anvil_rollback', [depth])
    },
    async write(key) {
      const transaction = { from: author, to: ledger, data: wordOf(key), gas: '0x20000' }
      return String(await rpc.call('eth_sendTransaction', [transaction]))
    },
    async head() {
      return Number(await rpc.call('eth_blockNumber', []))
    },
    async close() {
      await rpc.close()
      child.kill('SIGKILL')
      await exited
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** The package for this machine holds the binary itself; its install script, which we do not run, would only copy it. */
function anvilBinary(): string {
  const require = createRequire(import.meta.url)
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch
  const beside = createRequire(require.resolve('@foundry-rs/anvil/package.json'))
  const manifest = beside.resolve(`@foundry-rs/anvil-${process.platform}-${cpu}/package.json`)
  return join(dirname(manifest), 'bin', 'anvil')
}
