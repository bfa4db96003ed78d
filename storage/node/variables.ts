import { isIPv6 } from 'node:net'
import { accountAddress, commaList, keyFile, portNumber, serverVariables } from '@hexachord/platform/process'
import { parseAddress } from '@hexachord/protocol/names'
import * as z from 'zod'

/** Variables of every node that holds segments; spread into the schema of a service. */
export const nodeVariables = {
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
    libp2pListen: [multiaddrOf(config.HOST, config.LIBP2P_PORT)],
    libp2pAnnounce: config.LIBP2P_ANNOUNCE ?? [],
  }
}

function multiaddrOf(host: string, port: number): string {
  if (isIPv6(host)) return `/ip6/${host}/tcp/${port}`
  return `/ip4/${host === 'localhost' ? '127.0.0.1' : host}/tcp/${port}`
}
