import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

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
}

// The port of a network that `scripts/start` runs.
const localDiscovery = ['http://127.0.0.1:4610']

/** Where the client keeps its key and finds the network: options, then the environment
 * (`HEXACHORD_DISCOVERY`, `HEXACHORD_CREATORS`, `HEXACHORD_GATEWAYS`: origins with commas between), then
 * `config.json` in `HEXACHORD_HOME` (default `~/.config/hexachord`), then the local network. Where no creator nodes are
 * named, discovery knows them.
 * @throws UsageError */
export async function readSettings(
  env: NodeJS.ProcessEnv,
  options: { discovery?: string; creator?: string } = {},
): Promise<Settings> {
  const base = env.XDG_CONFIG_HOME || join(homedir(), '.config')
  const directory = env.HEXACHORD_HOME || join(base, 'hexachord')
  const file = await readConfig(join(directory, 'config.json'))
  const pick = (option: string | undefined, variable: string | undefined, name: string) =>
    origins(option ?? variable, name) ?? file[name]
  return {
    directory,
    discovery: pick(options.discovery, env.HEXACHORD_DISCOVERY, 'discovery') ?? localDiscovery,
    creators: pick(options.creator, env.HEXACHORD_CREATORS, 'creators') ?? 'find',
    gateways: pick(undefined, env.HEXACHORD_GATEWAYS, 'gateways') ?? [],
  }
}

async function readConfig(path: string): Promise<Record<string, string[] | undefined>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw error
  }
  try {
    const value = JSON.parse(text) as Record<string, unknown>
    return Object.fromEntries(
      Object.entries(value).map(([name, list]) => [name, origins(String(list), name)]),
    )
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${path} is not JSON such as {"discovery":["https://…"],"creators":["https://…"]}`)
  }
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
