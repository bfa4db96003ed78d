import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { eventually, freePort } from '@hexachord/scripts/testing'
import { openLogFile } from '../../../scripts/local-network/log-file.ts'
import { type OwnedProcess, startOwnedProcess } from '../../../scripts/local-network/owned-process.ts'
import { missingCommands } from '../../../storage/ipfs/kubo/required-config.ts'
import { runProgram } from '../../network/recordings.ts'

/** A Kubo daemon with a repository of its own. */
export type Kubo = {
  readonly apiUrl: string
  readonly secret: string
  readonly peerId: string
  /** Where its swarm listens, with its peer id. */
  readonly address: string
  /** Runs `ipfs` on its repository, by its daemon where that runs. @returns what it prints @throws when it fails */
  ipfs(...args: string[]): Promise<string>
  /** Writes a root and all that it links to into a CAR file. */
  exportCar(root: string, file: string): Promise<void>
  /** Its configuration, without secrets. */
  config(): Promise<Record<string, unknown>>
  /** Types the commands that the backend asks for. To be done before a start. */
  closeAndHarden(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
  /** SIGKILL, as a power cut would do. */
  kill(): Promise<void>
  /** Lets it run no further, so that it takes connections and answers nothing. @returns how it goes on */
  pause(): () => void
  /** Flips one bit of a block's file behind its back. @param digest sha2-256 of the block */
  flipBit(digest: Uint8Array): Promise<void>
}

/** Initialised by its own program and not yet started. Loopback only, and no bootstrap nodes from the beginning. */
export async function initKubo(
  binary: string,
  folder: string,
  options: { swarmPort?: number | undefined; identityKey?: Uint8Array; identity?: string } = {},
): Promise<Kubo> {
  const repository = path.join(folder, 'ipfs')
  await mkdir(repository, { recursive: true })
  const log = openLogFile(path.join(folder, 'kubo.log'))
  const environment = { IPFS_PATH: repository, IPFS_TELEMETRY: 'off' }
  const swarmPort = options.swarmPort ?? (await freePort())
  const apiPort = await freePort()
  const secret = `bearer:${randomUUID()}`
  let daemon: OwnedProcess | undefined

  /** Runs a script in which `ipfs` is this program on this repository. */
  async function shell(script: string, ...args: string[]): Promise<string> {
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
    const auth = daemon === undefined ? '' : `--api-auth ${secret}`
    const whole = `set -e\nipfs() { "${binary}" ${auth} "$@"; }\n${script}`
    return (await runProgram('env', [...variables, 'sh', '-c', whole, 'sh', ...args])).output
  }
  const ipfs = (...args: string[]) => shell('ipfs "$@"', ...args)

  await ipfs('init', '--profile=test')
  if (options.identityKey !== undefined) await takeIdentity(repository, options)
  await ipfs('config', 'Addresses.API', `/ip4/127.0.0.1/tcp/${apiPort}`)
  await ipfs('config', '--json', 'Addresses.Gateway', '[]')
  await ipfs('config', '--json', 'Addresses.Swarm', `["/ip4/127.0.0.1/tcp/${swarmPort}"]`)
  const authorizations = { test: { AuthSecret: secret, AllowedPaths: ['/api/v0'] } }
  await ipfs('config', '--json', 'API.Authorizations', JSON.stringify(authorizations))
  const peerId = (await ipfs('config', 'Identity.PeerID')).trim()
  const apiUrl = `http://127.0.0.1:${apiPort}`

  const kubo: Kubo = {
    apiUrl,
    secret,
    peerId,
    address: `/ip4/127.0.0.1/tcp/${swarmPort}/p2p/${peerId}`,
    ipfs,
    async exportCar(root, file) {
      await shell('ipfs dag export "$1" > "$2"', root, file)
    },
    config: async () => JSON.parse(await ipfs('config', 'show')) as Record<string, unknown>,
    async closeAndHarden() {
      await shell(missingCommands(await kubo.config()).join('\n'))
    },
    async start() {
      daemon = await startOwnedProcess({
        ...{ command: binary, args: ['daemon'], env: environment, cwd: folder, log },
      })
      const running = daemon
      await eventually(
        async () => {
          if (running.exit() !== undefined) throw new Error(`it has ended: ${log.tail()}`)
          const headers = { authorization: `Bearer ${secret.slice('bearer:'.length)}` }
          return (await fetch(`${apiUrl}/api/v0/id`, { method: 'POST', headers })).ok
        },
        { describe: 'an answer of Kubo', deadlineMs: 30_000 },
      )
    },
    async stop() {
      await daemon?.stop()
      daemon = undefined
    },
    async kill() {
      await daemon?.kill()
      daemon = undefined
      // What a killed daemon leaves; the next one takes it over by itself, `ipfs config` does not.
      await rm(path.join(repository, 'api'), { force: true })
    },
    pause() {
      const pid = daemon?.pid
      if (pid === undefined) throw new Error('it does not run')
      process.kill(pid, 'SIGSTOP')
      return () => process.kill(pid, 'SIGCONT')
    },
    flipBit: async (digest) => flipBit(await fileOf(path.join(repository, 'blocks'), digest)),
  }
  return kubo
}

/** Gives it the key of a node of ours, so that it is the peer which that node was registered as. */
async function takeIdentity(
  repository: string,
  { identityKey, identity }: { identityKey?: Uint8Array; identity?: string },
): Promise<void> {
  const file = path.join(repository, 'config')
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  const PrivKey = Buffer.from(identityKey ?? []).toString('base64')
  await writeFile(file, JSON.stringify({ ...config, Identity: { PeerID: identity, PrivKey } }), {
    mode: 0o600,
  })
}

async function fileOf(folder: string, digest: Uint8Array): Promise<string> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.data')) continue
    const file = path.join(folder, name)
    const hash = createHash('sha256')
      .update(await readFile(file))
      .digest()
    if (hash.equals(digest)) return file
  }
  throw new Error('Kubo has no file of this block')
}

async function flipBit(path: string): Promise<void> {
  const file = await open(path, 'r+')
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
}
