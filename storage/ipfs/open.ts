import { readFile } from 'node:fs/promises'
import { ConfigError, type Logger } from '@hexachord/platform/process'
import type { Sqlite } from '@hexachord/platform/sqlite'
import { claimStore } from './claim-store.ts'
import type { ConnectedIpfs } from './compose-node.ts'
import { createEmbeddedIpfs } from './embedded.ts'
import type { RegisteredPeer } from './ipfs-node.ts'

/** Which backend a service runs on, as its variables say. */
export type IpfsBackend =
  | { readonly backend: 'embedded'; readonly listen: readonly string[]; readonly announce: readonly string[] }
  | {
      readonly backend: 'kubo'
      readonly apiUrl: string
      readonly apiSecretFile: string | undefined
      readonly listen: { readonly host: string; readonly port: number }
      readonly announce: readonly string[]
    }

/**
 * The IPFS node of a service, on the backend that its operator chose.
 * @throws what `createEmbeddedIpfs` or `createKuboIpfs` throw; StoreTaken; ConfigError
 */
export async function openIpfs(
  choice: IpfsBackend,
  parts: {
    directory: string
    database: Sqlite
    allowPeer: (peerId: string) => boolean
    peers: () => readonly RegisteredPeer[]
    /** Whether the embedded backend refuses a block to its peers; a Kubo has denylists of its own. @default none */
    isDenied?: (cid: string) => boolean
    logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
    signal: AbortSignal
  },
): Promise<ConnectedIpfs> {
  const { announce } = choice
  if (choice.backend === 'embedded') {
    const ipfs = await createEmbeddedIpfs({ ...parts, listen: choice.listen, announce })
    try {
      claimStore(parts.database, 'embedded', ipfs.peerId)
    } catch (error) {
      await ipfs.close()
      throw error
    }
    return ipfs
  }
  const { apiUrl: url, apiSecretFile } = choice
  const secret = apiSecretFile === undefined ? undefined : await readSecret(apiSecretFile)
  // The client is loaded by those who use it.
  const { createKuboIpfs } = await import('./kubo/kubo.ts')
  return createKuboIpfs({ ...parts, kubo: { url, secret }, listen: choice.listen, announce })
}

/** @throws ConfigError */
async function readSecret(file: string): Promise<string> {
  const text = (await readFile(file, 'utf8')).trim()
  if (/^\S+$/.test(text)) return text
  throw new ConfigError([
    { variable: 'IPFS_API_SECRET_FILE', problem: `holds no secret in one word: ${file}` },
  ])
}
