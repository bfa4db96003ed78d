import { fileURLToPath } from 'node:url'
import { findProgram } from '../setup/index.ts'
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
  port: number
  /** The file that is given to `node`. */
  entry: string
  variables: Variables
}

export type Backends = { rpcUrl: string; databaseUrl: string; redisUrl: string }

/** The origin by which the services of a local network reach each other. */
export function originOf(port: number): string {
  return `http://127.0.0.1:${port}`
}

export const creatorName = 'creator-node'
export const discoveryName = 'discovery-provider'
export function contentName(index: number): string {
  return `content-service-${index + 1}`
}

/** The services of a local network with their whole configuration. */
export function planServices(options: {
  layout: Layout
  ports: Ports
  backends: Backends
  /** The address of each operator, by the name of its service. */
  operatorAddress(name: string): string
}): ServicePlan[] {
  const { layout, ports, backends, operatorAddress } = options

  function server(name: string, port: number): Variables {
    return {
      HOST: '127.0.0.1',
      PORT: port,
      METRICS_PORT: port + metricsOffset,
      PUBLIC_URL: originOf(port),
      DATA_DIR: layout.dataDirectory(name),
      RPC_URL: backends.rpcUrl,
      NETWORK_FILE: layout.networkFile,
      LOG_LEVEL: 'info',
      // Every node of this network lives on loopback, where nodes do not otherwise fetch from.
      ALLOW_PRIVATE_ADDRESSES: true,
    }
  }

  function node(name: string, port: number, libp2pPort: number): Variables {
    return {
      ...server(name, port),
      OPERATOR_ADDRESS: operatorAddress(name),
      HOT_KEY_FILE: layout.keyFile(name, 'hot'),
      LIBP2P_PORT: libp2pPort,
    }
  }

  return [
    {
      name: discoveryName,
      port: ports.discovery,
      entry: `${root}discovery-provider/main.ts`,
      variables: { ...server(discoveryName, ports.discovery), DATABASE_URL: backends.databaseUrl },
    },
    {
      name: creatorName,
      port: ports.creator,
      entry: `${root}creator-node/main.ts`,
      variables: {
        ...node(creatorName, ports.creator, ports.creatorLibp2p),
        REDIS_URL: backends.redisUrl,
        RELAYER_KEY_FILE: layout.keyFile(creatorName, 'relayer'),
        DISCOVERY_URLS: originOf(ports.discovery),
        PUBLISHERS: 'open',
        DAILY_BYTES: dailyBytes,
        DAILY_BYTES_PER_KEY: dailyBytesPerKey,
        FFMPEG_PATH: findProgram('ffmpeg') ?? 'ffmpeg',
        FFPROBE_PATH: findProgram('ffprobe') ?? 'ffprobe',
      },
    },
    ...ports.content.map((port, index) => ({
      name: contentName(index),
      port,
      entry: `${root}content-service/main.ts`,
      variables: {
        ...node(contentName(index), port, ports.contentLibp2p[index] ?? 0),
        CAPACITY_BYTES: localCapacityBytes,
      },
    })),
  ]
}
