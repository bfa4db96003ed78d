import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../setup/index.ts'
import { type Host, type HostOf, originOf } from './host.ts'
import type { Layout } from './layout.ts'
import { metricsOffset, type Ports } from './ports.ts'
import type { Variables } from './service-environments.ts'

/** The room that each content service offers in a local network. */
export const localCapacityBytes = 10 * 1024 ** 3
/** What anyone together, and one key alone, may upload to the local creator node in a day. */
const dailyBytes = 50 * 1024 ** 3
const dailyBytesPerKey = 20 * 1024 ** 3

const root = fileURLToPath(new URL('../..', import.meta.url))

/** One service and how an operator would run it. */
export type ServicePlan = {
  name: string
  host: Host
  port: number
  /** The file that is given to `node`. */
  entry: string
  variables: Variables
}

export type Backends = { rpcUrl: string; databaseUrl: string; redisUrl: string }

export const creatorName = 'creator-node'
export const discoveryName = 'discovery-provider'
/** On a large machine V8 gives young objects 128 MiB and lets old ones lie long, with which an indexer takes half as much
 * memory again (380 MiB in place of 260) and is no faster. With 512 MiB or less it takes a third more processor, with 1 GiB
 * a twentieth, and 2 GiB bring nothing but 20 MiB more. Four threads that collect garbage on two processors wait for each
 * other. */
export const indexerNodeOptions = '--max-semi-space-size=16 --max-old-space-size=1536 --v8-pool-size=2'
export function contentName(index: number): string {
  return `content-service-${index + 1}`
}

/** What the services of a network are planned from. */
export type Planning = {
  layout: Layout
  ports: Ports
  backends: Backends
  hostOf: HostOf
  /** The address of each operator, by the name of its service. */
  operatorAddress(name: string): string
}

/** The services of a local network with their whole configuration. */
export function planServices(planning: Planning): ServicePlan[] {
  const { layout, ports, backends, hostOf } = planning
  return [
    {
      name: discoveryName,
      host: hostOf(discoveryName),
      port: ports.discovery,
      entry: `${root}discovery-provider/main.ts`,
      variables: {
        ...serverVariables(discoveryName, ports.discovery, planning),
        DATABASE_URL: backends.databaseUrl,
        NODE_OPTIONS: indexerNodeOptions,
        APP_PASSWORD_KEY_FILE: path.join(layout.dataDirectory(discoveryName), 'app-password.key'),
        WRITING_KEY_FILE: path.join(layout.dataDirectory(discoveryName), 'writing.key'),
      },
    },
    planCreatorNode({ name: creatorName, port: ports.creator, libp2pPort: ports.creatorLibp2p }, planning),
    ...ports.content.map((_, index) => planContentService(index, planning)),
  ]
}

/** A creator node. Those of one network each have a Redis database of their own. */
export function planCreatorNode(
  { name, port, libp2pPort }: { name: string; port: number; libp2pPort: number },
  planning: Planning,
): ServicePlan {
  const { layout, ports, backends, hostOf } = planning
  return {
    name,
    host: hostOf(name),
    port,
    entry: `${root}creator-node/main.ts`,
    variables: {
      ...nodeVariables(name, port, libp2pPort, planning),
      REDIS_URL: backends.redisUrl,
      RELAYER_KEY_FILE: layout.keyFile(name, 'relayer'),
      DISCOVERY_URLS: originOf(ports.discovery, hostOf(discoveryName)),
      PUBLISHERS: 'open',
      DAILY_BYTES: dailyBytes,
      DAILY_BYTES_PER_KEY: dailyBytesPerKey,
      FFMPEG_PATH: findProgram('ffmpeg') ?? 'ffmpeg',
      FFPROBE_PATH: findProgram('ffprobe') ?? 'ffprobe',
    },
  }
}

/** One of the content services, the first being number 0. */
export function planContentService(index: number, planning: Planning): ServicePlan {
  const { ports, hostOf } = planning
  const name = contentName(index)
  const port = ports.content[index] ?? 0
  return {
    name,
    host: hostOf(name),
    port,
    entry: `${root}content-service/main.ts`,
    variables: {
      ...nodeVariables(name, port, ports.contentLibp2p[index] ?? 0, planning),
      CAPACITY_BYTES: localCapacityBytes,
    },
  }
}

function serverVariables(name: string, port: number, { layout, backends, hostOf }: Planning): Variables {
  const host = hostOf(name)
  return {
    HOST: host.address,
    PORT: port,
    METRICS_PORT: port + metricsOffset,
    PUBLIC_URL: originOf(port, host),
    DATA_DIR: layout.dataDirectory(name),
    RPC_URL: backends.rpcUrl,
    NETWORK_FILE: layout.networkFile,
    LOG_LEVEL: 'info',
    // Every node of this network lives in a private network, where nodes do not otherwise fetch from.
    ALLOW_PRIVATE_ADDRESSES: true,
  }
}

function nodeVariables(name: string, port: number, libp2pPort: number, planning: Planning): Variables {
  return {
    ...serverVariables(name, port, planning),
    OPERATOR_ADDRESS: planning.operatorAddress(name),
    HOT_KEY_FILE: planning.layout.keyFile(name, 'hot'),
    LIBP2P_PORT: libp2pPort,
    // Its ether costs nothing, and the token is worth nothing.
    TILL_TOKEN_WEI: 0,
  }
}
