import { isIPv6 } from 'node:net'
import {
  accountAddress,
  byteSize,
  commaList,
  type Environment,
  keyFile,
  loadConfig,
  portNumber,
  serverVariables,
} from '@hexachord/platform/process'
import { parseAddress } from '@hexachord/protocol/names'
import * as z from 'zod'

const schema = z.object({
  ...serverVariables,
  /** The address that registered this operator. */
  OPERATOR_ADDRESS: accountAddress,
  /** The key with which this node signs; registered as the operator's hot key. */
  HOT_KEY_FILE: keyFile,
  HOT_KEY_FILE_PASSWORD_FILE: keyFile.optional(),
  LIBP2P_PORT: portNumber,
  /** Multiaddrs by which other nodes reach it, where these are not HOST and LIBP2P_PORT. */
  LIBP2P_ANNOUNCE: commaList(
    z.string().startsWith('/', 'must be multiaddrs such as /ip4/203.0.113.7/tcp/4001'),
  ).optional(),
  /** Room for blocks; what the operator registered. */
  CAPACITY_BYTES: byteSize,
  /** Disk space that stays free for everything else. */
  FREE_DISK_BYTES: byteSize.optional(),
  /** Memory for blocks that are asked for often. */
  CACHE_BYTES: byteSize.optional(),
  /** How fast stored blocks are read again to see whether they are still what they were. */
  SCRUB_BYTES_PER_SECOND: byteSize.optional(),
})

const metricsPortDistance = 1000
/** Enough for the database to grow and for an operator to notice. */
const defaultFreeDiskBytes = 1024 ** 3
const defaultCacheBytes = 128 * 1024 ** 2

export type Config = ReturnType<typeof readConfig>

/** @throws ConfigError with every mistake */
export function readConfig(env: Environment) {
  const config = loadConfig(schema, env)
  return {
    host: config.HOST,
    port: config.PORT,
    metricsPort: config.METRICS_PORT ?? (config.PORT === 0 ? 0 : config.PORT + metricsPortDistance),
    publicUrl: config.PUBLIC_URL,
    dataDirectory: config.DATA_DIR,
    rpcUrl: config.RPC_URL,
    networkFile: config.NETWORK_FILE,
    allowPrivateAddresses: config.ALLOW_PRIVATE_ADDRESSES,
    operator: parseAddress(config.OPERATOR_ADDRESS),
    hotKeyFile: config.HOT_KEY_FILE,
    hotKeyPasswordFile: config.HOT_KEY_FILE_PASSWORD_FILE,
    libp2pListen: [multiaddrOf(config.HOST, config.LIBP2P_PORT)],
    libp2pAnnounce: config.LIBP2P_ANNOUNCE ?? [],
    capacityBytes: config.CAPACITY_BYTES,
    diskFloorBytes: config.FREE_DISK_BYTES ?? defaultFreeDiskBytes,
    cacheBytes: config.CACHE_BYTES ?? defaultCacheBytes,
    scrubBytesPerSecond: config.SCRUB_BYTES_PER_SECOND,
  }
}

function multiaddrOf(host: string, port: number): string {
  if (isIPv6(host)) return `/ip6/${host}/tcp/${port}`
  return `/ip4/${host === 'localhost' ? '127.0.0.1' : host}/tcp/${port}`
}
