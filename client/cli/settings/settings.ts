import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ListenBrainz } from '@hexachord/sdk/listening'

/** The command line or the settings are wrong; the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export type Settings = {
  readonly directory: string
  /** Origins. */
  readonly discovery: readonly string[]
  /** `find`: those on the chain. */
  readonly creators: readonly string[] | 'find'
  readonly gateways: readonly string[]
  /** JSON-RPC of a node of the chain, for those who ask the chain themselves. */
  readonly rpc: string | undefined
  /** Where plays are told of, by the protocol of ListenBrainz; nowhere unless the listener says so. */
  readonly scrobbling: ListenBrainz | undefined
}

// The port of a network that `scripts/start` runs.
const localDiscovery = ['http://127.0.0.1:4610']

/** Where the client keeps its key and finds the network: options, then the environment
 * (`HEXACHORD_DISCOVERY`, `HEXACHORD_CREATORS`, `HEXACHORD_GATEWAYS`: origins with commas between), then
 * `config.json` in `HEXACHORD_HOME` (default `~/.config/hexachord`), then the local network. Where no creator nodes are
 * named, discovery knows them. `HEXACHORD_RPC`, or `rpc` of the file, is a node of the chain. `HEXACHORD_SCROBBLE_TO` and `HEXACHORD_SCROBBLE_TOKEN_FILE`, or `scrobbleTo` and
 * `scrobbleTokenFile` of the file, say where plays are told of.
 * @throws UsageError */
export async function readSettings(
  env: NodeJS.ProcessEnv,
  options: { discovery?: string; creator?: string; rpc?: string } = {},
): Promise<Settings> {
  const base = env.XDG_CONFIG_HOME || join(homedir(), '.config')
  const directory = env.HEXACHORD_HOME || join(base, 'hexachord')
  const file = await readConfig(join(directory, 'config.json'))
  const pick = (option: string | undefined, variable: string | undefined, name: string) =>
    origins(option ?? variable, name) ?? origins(textOf(file[name]), name)
  return {
    directory,
    discovery: pick(options.discovery, env.HEXACHORD_DISCOVERY, 'discovery') ?? localDiscovery,
    creators: pick(options.creator, env.HEXACHORD_CREATORS, 'creators') ?? 'find',
    gateways: pick(undefined, env.HEXACHORD_GATEWAYS, 'gateways') ?? [],
    rpc: rpcFrom(options.rpc ?? (env.HEXACHORD_RPC || textOf(file.rpc))),
    scrobbling: await readScrobbling(
      env.HEXACHORD_SCROBBLE_TO || textOf(file.scrobbleTo),
      env.HEXACHORD_SCROBBLE_TOKEN_FILE || textOf(file.scrobbleTokenFile),
    ),
  }
}

/** @throws UsageError */
function rpcFrom(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol)) return url.href
  throw new UsageError(`--rpc: '${text}' is no URL of a node of the chain, such as https://rpc.example`)
}

/** Lists may stand in the file as lists, or as in the environment. */
function textOf(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value)
}

/** @throws UsageError where one of the two is missing */
async function readScrobbling(
  to: string | undefined,
  tokenFile: string | undefined,
): Promise<ListenBrainz | undefined> {
  if (to === undefined) return undefined
  const url = URL.parse(to)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`scrobbleTo: '${to}' is no URL such as https://api.listenbrainz.org`)
  }
  if (tokenFile === undefined) {
    throw new UsageError('scrobbleTo needs scrobbleTokenFile: a file with the token of that server')
  }
  try {
    const server = url.href.replace(/\/+$/, '')
    return { server, token: (await readFile(tokenFile, 'utf8')).trim() }
  } catch (cause) {
    throw new UsageError(`scrobbleTokenFile cannot be read: ${String(cause)}`, { cause })
  }
}

async function readConfig(path: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw error
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new UsageError(`${path} is not JSON such as {"discovery":["https://…"],"creators":["https://…"]}`)
}

function origins(list: string | undefined, name: string): string[] | undefined {
  if (list === undefined || list === '') return undefined
  return list.split(',').map((text) => {
    const url = URL.parse(text.trim())
    if (url === null || !['http:', 'https:'].includes(url.protocol)) {
      throw new UsageError(`${name}: '${text}' is no origin such as https://node.example`)
    }
    return url.origin
  })
}
