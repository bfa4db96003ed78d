import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, renameSync, rmSync } from 'node:fs'
import { appendFile, mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { maximumBlockBytes } from '@hexachord/protocol/cids'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { putList, putSample, sampleBytes } from './compliance/subject.ts'
import { ipfsNodeCompliance, type NodeUnderTest } from './compliance.ts'
import { type ConnectedIpfs, createEmbeddedIpfs, DirectoryLocked, ipfsMigrations } from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

/** The block's file; where it lies is the backend's own affair, so it is looked for. */
async function fileOf(directory: string, cid: string): Promise<string> {
  const paths = await readdir(join(directory, 'blocks'), { recursive: true })
  const path = paths.find((candidate) => candidate.endsWith(cid))
  if (path === undefined) throw new Error(`there is no file of ${cid}`)
  return join(directory, 'blocks', path)
}

async function embeddedUnderTest(): Promise<NodeUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'embedded-ipfs-'))
  let ahead = 0
  const now = () => Date.now() + ahead
  let node = await createEmbeddedIpfs({ directory, logger, now, bitswap: false })
  return {
    get node() {
      return node
    },
    async restart() {
      await node.close()
      node = await createEmbeddedIpfs({ directory, logger, now, bitswap: false })
      return node
    },
    async flipBit(cid) {
      const file = await open(await fileOf(directory, cid), 'r+')
      try {
        const byte = new Uint8Array(1)
        await file.read(byte, 0, 1, 700)
        await file.write(
          byte.map((value) => value ^ 1),
          0,
          1,
          700,
        )
      } finally {
        await file.close()
      }
    },
    async stall(cid) {
      // Whoever opens a pipe to read waits for somebody who opens it to write, as for a disk that does not answer.
      const file = await fileOf(directory, cid)
      renameSync(file, `${file}.kept`)
      execFileSync('mkfifo', [file])
      return () => {
        // At once, since those who wait may have every thread that does this otherwise.
        renameSync(file, `${file}.pipe`)
        renameSync(`${file}.kept`, file)
        closeSync(openSync(`${file}.pipe`, constants.O_RDWR | constants.O_NONBLOCK))
        rmSync(`${file}.pipe`)
      }
    },
    passTime(ms) {
      ahead += ms
    },
    async destroy() {
      await node.close()
      await rm(directory, { recursive: true })
    },
  }
}

ipfsNodeCompliance('the embedded backend', embeddedUnderTest)

describe('the embedded backend', () => {
  let directory: string
  let nodes: ConnectedIpfs[]
  let children: ChildProcess[]

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'embedded-ipfs-'))
    nodes = []
    children = []
  })
  afterEach(async () => {
    for (const child of children) await killed(child)
    await Promise.all(nodes.map((node) => node.close()))
    await rm(directory, { recursive: true })
  })

  async function openNode(
    options: Partial<Parameters<typeof createEmbeddedIpfs>[0]> = {},
  ): Promise<ConnectedIpfs> {
    const node = await createEmbeddedIpfs({ directory, logger, bitswap: false, ...options })
    nodes.push(node)
    return node
  }

  /** A process of its own that puts blocks into the directory, and the lines that it prints. */
  function startPutting(): { child: ChildProcess; lines: AsyncIterableIterator<string> } {
    const script = fileURLToPath(new URL('./fixtures/keep-putting.ts', import.meta.url))
    const child = spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
  }

  async function killed(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  test('keeps its key from other users', async () => {
    await openNode()
    expect((await stat(join(directory, 'libp2p.key'))).mode & 0o777).toBe(0o600)
  })

  test('says which file holds no key, and does not make another', async () => {
    await writeFile(join(directory, 'libp2p.key'), 'not a key')
    await expect(openNode()).rejects.toThrow(/libp2p\.key holds no libp2p key/)
  })

  test('refuses a directory that a node of this process has', async () => {
    await openNode()
    await expect(openNode()).rejects.toThrow(DirectoryLocked)
  })

  test('refuses a directory that another process has, and names it', async () => {
    const { child, lines } = startPutting()
    expect((await lines.next()).value).toBe('open')
    await expect(openNode()).rejects.toMatchObject({ name: 'DirectoryLocked', pid: child.pid })
    await killed(child)
    await openNode()
  })

  test('a process killed while it stores blocks has lost none that it acknowledged', async () => {
    const { child, lines } = startPutting()
    const acknowledged: string[] = []
    for await (const line of lines) {
      if (line !== 'open') acknowledged.push(line)
      if (acknowledged.length === 40) child.kill('SIGKILL')
    }
    const node = await openNode()
    expect(acknowledged.length).toBeGreaterThanOrEqual(40)
    for (const cid of acknowledged) expect([cid, await node.verify(cid)]).toEqual([cid, 'ok'])
    for await (const { cid } of node.blocks()) expect([cid, await node.verify(cid)]).toEqual([cid, 'ok'])
    expect(await readdir(join(directory, 'incoming'))).toEqual([])
  })

  test('keeps what was moved aside for a person to look at', async () => {
    const node = await openNode()
    const cid = await putSample(node, 'rotten')
    await writeFile(await fileOf(directory, cid), 'cut short')
    expect(await node.verify(cid)).toBe('corrupt')
    const [name = ''] = await readdir(join(directory, 'quarantine'))
    expect(name.startsWith(cid)).toBe(true)
  })

  test('takes the largest block with something behind it for no block', async () => {
    const node = await openNode()
    const cid = await putSample(node, 'longer than it was', maximumBlockBytes)
    await appendFile(await fileOf(directory, cid), 'more')
    expect(await node.verify(cid)).toBe('corrupt')
  })

  test('can keep its pins in a database that the service has opened, and leaves that open', async () => {
    const database = openSqlite(':memory:', { migrations: ipfsMigrations })
    const node = await openNode({ database })
    const root = await putList(node, [await putSample(node, 'leaf')])
    await node.pin(root)
    await node.close()
    expect(database.get<{ root: string }>('SELECT root FROM ipfs_pin')).toMatchObject({ root })
    database.close()
    expect(await readdir(directory)).not.toContain('pins.sqlite')
  })

  test('lets go of the directory when it cannot start', async () => {
    await writeFile(join(directory, 'libp2p.key'), 'not a key')
    await expect(openNode()).rejects.toThrow()
    await rm(join(directory, 'libp2p.key'))
    const node = await openNode()
    expect(await node.put(sampleBytes('works'), 'raw')).toMatch(/^bafkrei/)
  })

  test('without bitswap it has no address and no peers', async () => {
    const node = await openNode()
    expect(node.peerId).toMatch(/^12D3Koo/)
    expect(node.addresses()).toEqual([])
    expect(node.connectedPeers()).toEqual([])
  })
})
