/**
 * How Kubo has to be set before a node stands on it: closed to the public network, and durable. Its own defaults dial
 * public bootstrap nodes, announce every block in a public DHT, send telemetry and acknowledge blocks before they
 * are on the disk.
 */
export type Requirement = {
  /** The key in Kubo's configuration, as `ipfs config` takes it. */
  readonly key: string
  /** What to type so that it holds. */
  readonly command: string
  holds(config: Config): boolean
}

type Config = Readonly<Record<string, unknown>>

/** The daemon is set up in a way that this node must not stand on. */
export class KuboMisconfigured extends Error {
  override readonly name = 'KuboMisconfigured'
  readonly commands: readonly string[]

  constructor(url: string, commands: readonly string[]) {
    super(
      `Kubo at ${url} is not closed or not durable. Type these where its IPFS_PATH is, start it again, and then this node:\n  ${commands.join('\n  ')}`,
    )
    this.commands = commands
  }
}

/** The commands still to be typed, in the order of the requirements; none when all is well. */
export function missingCommands(config: Config): string[] {
  return requirements.filter(({ holds }) => !holds(config)).map(({ command }) => command)
}

/** Whether the RPC listens where only this machine can call it: on loopback addresses or a socket in the file system. */
export function listensLocally(config: Config): boolean {
  const written = at(config, 'Addresses.API')
  const addresses = Array.isArray(written) ? written : [written]
  return addresses.every(
    (address) => typeof address === 'string' && /^\/(ip4\/127\.|ip6\/::1\/|unix\/)/.test(address),
  )
}

/** Where the swarm of a Kubo that is closed listens. */
export function swarmPortOf(config: Config): number {
  const [address] = at(config, 'Addresses.Swarm') as string[]
  return Number(address?.slice(onLoopback.length))
}

const onLoopback = '/ip4/127.0.0.1/tcp/'

export const requirements: readonly Requirement[] = [
  {
    // Others reach it through the node, which knows who is registered.
    key: 'Addresses.Swarm',
    command: `ipfs config --json Addresses.Swarm '["${onLoopback}4011"]'`,
    holds(config) {
      const [address, ...more] = [at(config, 'Addresses.Swarm')].flat()
      if (typeof address !== 'string' || !address.startsWith(onLoopback)) return false
      return /^[1-9]\d*$/.test(address.slice(onLoopback.length)) && more.length === 0
    },
  },
  empty('Bootstrap', '[]'),
  equal('Routing.Type', 'none'),
  empty('Routing.DelegatedRouters', '[]'),
  empty('Ipns.DelegatedPublishers', '[]'),
  empty('DNS.Resolvers', '{}'),
  equal('Provide.Enabled', false),
  equal('Discovery.MDNS.Enabled', false),
  equal('AutoConf.Enabled', false),
  equal('AutoTLS.Enabled', false),
  equal('AutoNAT.ServiceMode', 'disabled'),
  equal('HTTPRetrieval.Enabled', false),
  equal('Swarm.DisableNatPortMap', true),
  equal('Swarm.EnableHolePunching', false),
  equal('Swarm.RelayClient.Enabled', false),
  equal('Swarm.RelayService.Enabled', false),
  equal('Swarm.Transports.Network.Relay', false),
  equal('Gateway.NoFetch', true),
  equal('Plugins.Plugins.telemetry.Config.Mode', 'off'),
  // Every read is hashed here; Kubo's own check would only hide which block is the bad one.
  equal('Datastore.HashOnRead', false),
  {
    key: 'Datastore.Spec',
    command: `ipfs config --json Datastore.Spec '${JSON.stringify(durableDatastore())}'`,
    holds: (config) => syncsBlocks(at(config, 'Datastore.Spec')),
  },
]

/** Kubo's own default layout but for `sync`: with it a block and its name are on the disk before it is acknowledged. */
function durableDatastore() {
  const blocks = {
    mountpoint: '/blocks',
    path: 'blocks',
    prefix: 'flatfs.datastore',
    shardFunc: '/repo/flatfs/shard/v1/next-to-last/2',
    sync: true,
    type: 'flatfs',
  }
  const rest = {
    compression: 'none',
    mountpoint: '/',
    path: 'datastore',
    prefix: 'leveldb.datastore',
    type: 'levelds',
  }
  return { mounts: [blocks, rest], type: 'mount' }
}

/** Whether blocks lie in flatfs with `sync`, measured or not. */
function syncsBlocks(spec: unknown): boolean {
  if (!isRecord(spec)) return false
  if (spec.type === 'measure') return syncsBlocks(spec.child)
  if (spec.type === 'flatfs') return spec.sync === true
  if (spec.type !== 'mount' || !Array.isArray(spec.mounts)) return false
  const blocks = spec.mounts.filter(isRecord).find(({ mountpoint }) => mountpoint === '/blocks')
  return blocks !== undefined && syncsBlocks({ ...blocks })
}

function equal(key: string, value: string | boolean): Requirement {
  const command =
    typeof value === 'string' ? `ipfs config ${key} ${value}` : `ipfs config --json ${key} ${value}`
  return { key, command, holds: (config) => at(config, key) === value }
}

/** Absent will not do: in several places Kubo then takes its public defaults. */
function empty(key: string, value: '[]' | '{}'): Requirement {
  return {
    key,
    command: `ipfs config --json ${key} '${value}'`,
    holds: (config) => JSON.stringify(at(config, key)) === value,
  }
}

function at(config: unknown, key: string): unknown {
  let value = config
  for (const name of key.split('.')) value = isRecord(value) ? value[name] : undefined
  return value
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
