import { availableParallelism } from 'node:os'
import {
  accountAddress,
  byteSize,
  commaList,
  type Environment,
  httpUrl,
  keyFile,
  loadConfig,
  wholeNumber,
} from '@hexachord/platform/process'
import { checked } from '@hexachord/protocol/checked'
import { type Address, parseAddress } from '@hexachord/protocol/names'
import { nodeConfig, nodeVariables } from '@hexachord/storage/node'
import * as z from 'zod'
import type { Publishers } from './admission/index.ts'

const schema = z.object({
  ...nodeVariables,
  /** The account that pays for actions on the chain. No other program may send from it. */
  RELAYER_KEY_FILE: keyFile,
  RELAYER_KEY_FILE_PASSWORD_FILE: keyFile.optional(),
  REDIS_URL: z
    .string()
    .refine(
      (text) => /^rediss?:$/.test(URL.parse(text)?.protocol ?? ''),
      'must be a redis:// or rediss:// URL',
    ),
  /** Discovery providers that clients of this node are pointed to. */
  DISCOVERY_URLS: commaList(httpUrl).optional(),
  /** `open`, `invite`, or `allowlist:` and addresses. */
  PUBLISHERS: z.string().default('open').transform(toPublishers),
  /** Uploads in a day, of all accounts together and of one. */
  DAILY_BYTES: byteSize.default(50 * 1024 ** 3),
  DAILY_BYTES_PER_KEY: byteSize.default(10 * 1024 ** 3),
  /** Actions that this node pays for in a day. */
  DAILY_ACTIONS: wholeNumber(0, 1_000_000_000).default(10_000),
  DAILY_ACTIONS_PER_KEY: wholeNumber(0, 1_000_000_000).default(500),
  /** Gas of these actions: one of 512 bytes takes some 70,000, one of 8 KiB 355,000. */
  DAILY_GAS: wholeNumber(0, 1_000_000_000_000).default(1_000_000_000),
  DAILY_GAS_PER_KEY: wholeNumber(0, 1_000_000_000_000).default(50_000_000),
  /** Uploads that have not ended, of all accounts together and of one. */
  MAX_OPEN_UPLOADS: wholeNumber(1, 1_000_000).default(1_000),
  MAX_OPEN_UPLOADS_PER_KEY: wholeNumber(1, 1_000_000).default(100),
  /** Largest file. */
  MAX_UPLOAD_BYTES: byteSize.default(3 * 1024 ** 3),
  /** Disk space that stays free for everything else. */
  FREE_DISK_BYTES: byteSize.default(1024 ** 3),
  /** Memory for blocks that are asked for often. */
  CACHE_BYTES: byteSize.default(64 * 1024 ** 2),
  FFMPEG_PATH: z.string().default('ffmpeg'),
  FFPROBE_PATH: z.string().default('ffprobe'),
  /** Address space that one ffmpeg may take. */
  FFMPEG_MEMORY_BYTES: byteSize.default(2 * 1024 ** 3),
  /** ffmpegs at a time. */
  TRANSCODING_CORES: wholeNumber(1, 1024).default(availableParallelism()),
})

export type Config = ReturnType<typeof readConfig>

/** @throws ConfigError with every mistake */
export function readConfig(env: Environment) {
  const config = loadConfig(schema, env)
  return {
    ...nodeConfig(config),
    redisUrl: config.REDIS_URL,
    discoveryUrls: config.DISCOVERY_URLS ?? [],
    relayerKeyFile: config.RELAYER_KEY_FILE,
    relayerKeyPasswordFile: config.RELAYER_KEY_FILE_PASSWORD_FILE,
    publishers: config.PUBLISHERS,
    allowances: {
      bytes: { perDay: config.DAILY_BYTES, perAccount: config.DAILY_BYTES_PER_KEY },
      actions: { perDay: config.DAILY_ACTIONS, perAccount: config.DAILY_ACTIONS_PER_KEY },
      gas: { perDay: config.DAILY_GAS, perAccount: config.DAILY_GAS_PER_KEY },
    },
    limits: {
      maximumBytes: config.MAX_UPLOAD_BYTES,
      maximumOpen: config.MAX_OPEN_UPLOADS,
      maximumOpenPerAccount: config.MAX_OPEN_UPLOADS_PER_KEY,
    },
    diskFloorBytes: config.FREE_DISK_BYTES,
    cacheBytes: config.CACHE_BYTES,
    ffmpegPath: config.FFMPEG_PATH,
    ffprobePath: config.FFPROBE_PATH,
    ffmpegMemoryBytes: config.FFMPEG_MEMORY_BYTES,
    transcodingCores: config.TRANSCODING_CORES,
  }
}

const listPrefix = 'allowlist:'

function toPublishers(text: string, context: z.RefinementCtx): Publishers {
  if (text === 'open' || text === 'invite') return text
  const list = checked(commaList(accountAddress), text.slice(listPrefix.length))
  if (!text.startsWith(listPrefix) || !list.success) {
    context.addIssue({
      code: 'custom',
      message: "must be 'open', 'invite', or 'allowlist:' and addresses between commas",
    })
    return z.NEVER
  }
  return new Set<Address>(list.data.map(parseAddress))
}
