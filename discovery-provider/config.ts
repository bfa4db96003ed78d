import {
  accountAddress,
  commaList,
  type Environment,
  loadConfig,
  origin,
  serverVariables,
} from '@hexachord/platform/process'
import { checked } from '@hexachord/protocol/checked'
import { parseAddress } from '@hexachord/protocol/names'
import * as z from 'zod'
import type { ArchivePolicy } from './archives/index.ts'

// Whatever a discovery provider keeps is in its database.
const { DATA_DIR: _, ...variables } = serverVariables

const archivePolicy = z.string().transform((text, context): ArchivePolicy => {
  if (text === 'auto' || text === 'off') return text
  const gateways = checked(commaList(origin), text)
  if (gateways.success && gateways.data.length > 0) return gateways.data
  const message = 'must be auto, off, or origins of gateways with commas between'
  context.addIssue({ code: 'custom', message })
  return z.NEVER
})

/** Each is asked every few seconds. */
const mostPeers = 32

const schema = z.object({
  ...variables,
  /** Where an index may start when it is empty, or when the chain's node has dropped logs that it needs: from archives
   * of operators (`auto`, only when logs are missing), of these gateways, or not at all (`off`). */
  ARCHIVES: archivePolicy.default('auto'),
  /** A file with the key under which app passwords are kept, made at the first start; providers that share a database
   * share it, too. Without it no player can log in, and `/rest` is not served. */
  APP_PASSWORD_KEY_FILE: z.string().optional(),
  /** What one client (an IPv4 address, or the /64 of an IPv6 one) may ask for in a second, in the long run; ten seconds'
   * worth at once. 0: as much as it likes. Programs on private addresses always may. */
  REQUESTS_PER_SECOND: z.coerce.number<string>().int().min(0).max(100_000).default(50),
  /** Origins of other providers of the network, whose state hashes are compared with ours. */
  PEER_PROVIDERS: commaList(origin)
    .refine((origins) => origins.length <= mostPeers, `must name ${mostPeers} providers at most`)
    .default([]),
  /** Authors whose takedown notices are honoured here; nobody's unless it says so. Of providers that share a database the
   * one that writes it decides. */
  HONOUR_NOTICES_OF: commaList(accountAddress).optional(),
  /** A file with the secret behind the keys that sign what players write, for listeners who have let them; made at the
   * first start, and shared like the one above. Without it players only read. */
  WRITING_KEY_FILE: z.string().optional(),
  /** A database of its own in a Postgres (15 or newer) with the extensions pg_trgm and unaccent. */
  DATABASE_URL: z
    .string()
    .refine(
      (text) => /^postgres(ql)?:$/.test(URL.parse(text)?.protocol ?? ''),
      'must be a postgres:// URL that names a database',
    ),
})

export type Config = ReturnType<typeof readConfig>

/** Metrics are served this far above the API unless METRICS_PORT says otherwise. */
const metricsPortDistance = 1000

/** @throws ConfigError with every mistake */
export function readConfig(env: Environment) {
  const config = loadConfig(schema, env)
  const metricsPort = config.PORT === 0 ? 0 : config.PORT + metricsPortDistance
  return {
    host: config.HOST,
    port: config.PORT,
    metricsPort: config.METRICS_PORT ?? metricsPort,
    publicUrl: config.PUBLIC_URL,
    rpcUrls: config.RPC_URL,
    networkFile: config.NETWORK_FILE,
    databaseUrl: config.DATABASE_URL,
    archives: config.ARCHIVES,
    requestsPerSecond: config.REQUESTS_PER_SECOND,
    peerProviders: config.PEER_PROVIDERS,
    honoured: (config.HONOUR_NOTICES_OF ?? []).map(parseAddress),
    appPasswordKeyFile: config.APP_PASSWORD_KEY_FILE,
    writingKeyFile: config.WRITING_KEY_FILE,
    allowPrivateAddresses: config.ALLOW_PRIVATE_ADDRESSES,
  }
}
