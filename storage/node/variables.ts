import { isIPv6 } from 'node:net'
import {
  accountAddress,
  ConfigError,
  commaList,
  keyFile,
  origin,
  portNumber,
  serverVariables,
} from '@hexachord/platform/process'
import { parseAddress } from '@hexachord/protocol/names'
import * as z from 'zod'
import type { IpfsBackend } from '../ipfs/index.ts'

/** Variables of every node that holds segments; spread into the schema of a service. */
export const nodeVariables = {
  ...serverVariables,
  /** The address that registered this operator. */
  OPERATOR_ADDRESS: accountAddress,
  /** The key with which this node signs; registered as the operator's hot key. */
  HOT_KEY_FILE: keyFile,
  HOT_KEY_FILE_PASSWORD_FILE: keyFile.optional(),
  /** What keeps the blocks: this process, or a Kubo beside it. */
  IPFS_BACKEND: z.enum(['embedded', 'kubo'], 'must be embedded or kubo').default('embedded'),
  /** The RPC of the Kubo. */
  IPFS_API_URL: origin.default('http://127.0.0.1:5001'),
  /** A file with the AuthSecret of an entry in Kubo's API.Authorizations. */
  IPFS_API_SECRET_FILE: keyFile.optional(),
  /** Where the embedded backend listens for peers; a Kubo has its own Addresses.Swarm. */
  LIBP2P_PORT: portNumber.optional(),
  /** Multiaddrs by which other nodes reach it, where these are not HOST and LIBP2P_PORT, or what Kubo says itself. */
  LIBP2P_ANNOUNCE: commaList(
    z.string().startsWith('/', 'must be multiaddrs such as /ip4/203.0.113.7/tcp/4001'),
  ).optional(),
  /** Authors whose takedown notices this operator honours; nobody's unless it says so. */
  HONOUR_NOTICES_OF: commaList(accountAddress).optional(),
  /** A directory of compact denylists, `*.deny`, that this operator honours. */
  DENYLIST_DIRECTORY: z.string().min(1, 'must be a directory').optional(),
}

const metricsPortDistance = 1000
const schema = z.object(nodeVariables)

/** The checked variables as the services use them. */
export function nodeConfig(config: z.output<typeof schema>) {
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
    ipfs: backendOf(config),
    takedowns: {
      honoured: (config.HONOUR_NOTICES_OF ?? []).map(parseAddress),
      directory: config.DENYLIST_DIRECTORY,
    },
  }
}

/** @throws ConfigError */
function backendOf(config: z.output<typeof schema>): IpfsBackend {
  const announce = config.LIBP2P_ANNOUNCE ?? []
  if (config.IPFS_BACKEND === 'kubo') {
    const { IPFS_API_URL: apiUrl, IPFS_API_SECRET_FILE: apiSecretFile } = config
    return { backend: 'kubo', apiUrl, apiSecretFile, announce }
  }
  if (config.LIBP2P_PORT === undefined) {
    throw new ConfigError([{ variable: 'LIBP2P_PORT', problem: 'is not set' }])
  }
  return { backend: 'embedded', listen: [multiaddrOf(config.HOST, config.LIBP2P_PORT)], announce }
}

function multiaddrOf(host: string, port: number): string {
  if (isIPv6(host)) return `/ip6/${host}/tcp/${port}`
  return `/ip4/${host === 'localhost' ? '127.0.0.1' : host}/tcp/${port}`
}
