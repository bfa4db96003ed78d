import { isIPv6 } from 'node:net'
import {
  accountAddress,
  byteSize,
  ConfigError,
  commaList,
  keyFile,
  origin,
  portNumber,
  serverVariables,
  wholeNumber,
} from '@hexachord/platform/process'
import { parseAddress } from '@hexachord/protocol/names'
import { termsDelaySeconds } from '@hexachord/protocol/payments'
import * as z from 'zod'
import type { IpfsBackend } from '../ipfs/index.ts'

/** A day less than a change of terms waits: lines are split by those that are in force when they are redeemed. */
const mostRedeemHours = termsDelaySeconds / 3_600 - 24

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
  /** Where it listens for peers, with a Kubo beside it too. */
  LIBP2P_PORT: portNumber,
  /** Multiaddrs by which other nodes reach it, where these are not HOST and LIBP2P_PORT. */
  LIBP2P_ANNOUNCE: commaList(
    z.string().startsWith('/', 'must be multiaddrs such as /ip4/203.0.113.7/tcp/4001'),
  ).optional(),
  /** Paid tracks that give a node less than this share, in basis points, are not served. */
  TILL_LEAST_NODE_BPS: wholeNumber(0, 10_000).default(0),
  /** Units of six seconds that are free of each paid track, from its beginning. */
  TILL_PREVIEW_UNITS: wholeNumber(0, 100).default(0),
  /** What listeners owe is redeemed on the chain at least so often. */
  TILL_REDEEM_HOURS: wholeNumber(1, mostRedeemHours).default(mostRedeemHours),
  /** What a base unit of the payment token is worth, in wei: what earns less than its gas is left alone. Zero to redeem
   * whatever it costs, by which anybody can have this node's ether spent. Only needed where the network has payments. */
  TILL_TOKEN_WEI: z
    .string()
    .regex(/^[0-9]{1,30}$/, 'must be a whole number of wei')
    .optional(),
  /** Tracks that cost less than this altogether, in base units of the payment token, are not sold whole: to settle a
   * purchase costs gas. */
  TILL_LEAST_PURCHASE: z
    .string()
    .regex(/^[0-9]{1,28}$/, 'must be a whole number of base units')
    .default('10000'),
  /** What strangers may fetch for nothing from a node that takes money, all together; zero for no limit. */
  TILL_FREE_BYTES_PER_SECOND: byteSize.default(0),
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
    rpcUrls: config.RPC_URL,
    networkFile: config.NETWORK_FILE,
    allowPrivateAddresses: config.ALLOW_PRIVATE_ADDRESSES,
    operator: parseAddress(config.OPERATOR_ADDRESS),
    hotKeyFile: config.HOT_KEY_FILE,
    hotKeyPasswordFile: config.HOT_KEY_FILE_PASSWORD_FILE,
    ipfs: backendOf(config),
    till: {
      leastNodeBps: config.TILL_LEAST_NODE_BPS,
      previewUnits: config.TILL_PREVIEW_UNITS,
      redeemEveryMs: config.TILL_REDEEM_HOURS * 3_600_000,
      weiPerUnit: config.TILL_TOKEN_WEI === undefined ? undefined : BigInt(config.TILL_TOKEN_WEI),
      leastPurchase: BigInt(config.TILL_LEAST_PURCHASE),
      freeBytesPerSecond: config.TILL_FREE_BYTES_PER_SECOND,
    },
    takedowns: {
      honoured: (config.HONOUR_NOTICES_OF ?? []).map(parseAddress),
      directory: config.DENYLIST_DIRECTORY,
    },
  }
}

/**
 * An operator's terms on a network.
 * @throws ConfigError where money is taken there and nobody said what it is worth
 */
export function tillTermsOn<Terms extends { readonly weiPerUnit: bigint | undefined }>(
  network: { readonly payments?: unknown },
  till: Terms,
): Terms & { readonly weiPerUnit: bigint } {
  if (till.weiPerUnit === undefined && network.payments !== undefined) {
    const problem =
      'is not set, and this network has payments: what a base unit of the token is worth in wei, such as 333000000 for a ' +
      'token of six decimals that is worth a dollar where an ether is worth 3,000; 0 to redeem whatever it costs'
    throw new ConfigError([{ variable: 'TILL_TOKEN_WEI', problem }])
  }
  return { ...till, weiPerUnit: till.weiPerUnit ?? 0n }
}

function backendOf(config: z.output<typeof schema>): IpfsBackend {
  const announce = config.LIBP2P_ANNOUNCE ?? []
  if (config.IPFS_BACKEND === 'kubo') {
    const { IPFS_API_URL: apiUrl, IPFS_API_SECRET_FILE: apiSecretFile } = config
    const listen = { host: config.HOST, port: config.LIBP2P_PORT }
    return { backend: 'kubo', apiUrl, apiSecretFile, listen, announce }
  }
  return { backend: 'embedded', listen: [multiaddrOf(config.HOST, config.LIBP2P_PORT)], announce }
}

function multiaddrOf(host: string, port: number): string {
  if (isIPv6(host)) return `/ip6/${host}/tcp/${port}`
  return `/ip4/${host === 'localhost' ? '127.0.0.1' : host}/tcp/${port}`
}
