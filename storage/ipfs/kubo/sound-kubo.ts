import { KuboMisconfigured, listensLocally, missingCommands, swarmPortOf } from './required-config.ts'
import { createKuboRpc, type KuboRpc } from './rpc.ts'
import { KuboRefused, KuboUnavailable } from './rpc-failure.ts'

export type KuboAddress = { readonly url: string; readonly secret?: string | undefined }

export type KuboIdentity = {
  readonly peerId: string
  /** Where its swarm listens on 127.0.0.1. */
  readonly swarmPort: number
}

/** Kubo is another peer than the one that has this node's blocks. */
export class OtherKubo extends Error {
  override readonly name = 'OtherKubo'

  constructor(url: string, peerId: string, expected: string) {
    super(
      `Kubo at ${url} is ${peerId}, but this node's blocks are with ${expected}: start that one, or give this node a DATA_DIR of its own`,
    )
  }
}

/** Calls that reach Kubo only while it is found to be sound. */
export type SoundKubo = {
  readonly rpc: KuboRpc
  /** Looks at Kubo now. @throws what keeps calls from it */
  inspect(): Promise<KuboIdentity>
}

/**
 * Stands between a node and its Kubo. A daemon that was away is looked at again before the next call, since it may
 * have come back with other settings or another repository; nothing is acknowledged on one that is not durable.
 *
 * What is looked at is the configuration file that Kubo shows. A daemon that was started before the file was
 * mended still runs as before; it cannot be told from outside.
 */
export function guardKubo(
  address: KuboAddress,
  options: {
    /** Whom calls may reach. */
    expectedPeerId: () => string | undefined
    logger: Record<'info' | 'warn' | 'error', (details: object, line: string) => void>
    timeoutMs?: number | undefined
  },
): SoundKubo {
  const { logger, timeoutMs } = options
  const open = createKuboRpc({ ...address, timeoutMs })
  const stranger = createKuboRpc({ url: address.url, timeoutMs })
  let looking: Promise<KuboIdentity> | undefined
  let lastTrouble: string | undefined

  async function look(): Promise<KuboIdentity> {
    const [identity, config] = await Promise.all([open.identity(), open.config()])
    const commands = missingCommands(config)
    if (commands.length > 0) throw new KuboMisconfigured(open.url, commands)
    if (!listensLocally(config) && (await letsStrangersIn())) {
      throw new KuboMisconfigured(open.url, [`ipfs config Addresses.API /ip4/127.0.0.1/tcp/5001`])
    }
    const expected = options.expectedPeerId()
    if (expected !== undefined && identity.peerId !== expected) {
      throw new OtherKubo(open.url, identity.peerId, expected)
    }
    return { peerId: identity.peerId, swarmPort: swarmPortOf(config) }
  }

  async function letsStrangersIn(): Promise<boolean> {
    try {
      await stranger.identity()
      return true
    } catch (error) {
      if (error instanceof KuboRefused) return false
      throw error
    }
  }

  async function lookAndTell(): Promise<KuboIdentity> {
    try {
      const identity = await look()
      if (lastTrouble !== undefined) logger.info({ kubo: open.url }, 'Kubo is there and sound again')
      lastTrouble = undefined
      return identity
    } catch (err) {
      tellOnce(err)
      throw err
    }
  }

  /** A Kubo that is away for a day is one line, not one for each second. */
  function tellOnce(err: unknown): void {
    const trouble = String(err)
    if (trouble === lastTrouble) return
    lastTrouble = trouble
    if (err instanceof KuboUnavailable) logger.warn({ err }, 'Kubo is away; waiting for it')
    else logger.error({ err }, 'Kubo cannot be used')
  }

  /** Calls that come while it is being looked at wait for the same look. */
  function lookOnce(): Promise<KuboIdentity> {
    if (looking !== undefined) return looking
    const current = lookAndTell()
    looking = current
    current.catch(() => {
      if (looking === current) looking = undefined
    })
    return current
  }

  const rpc = createKuboRpc({
    ...address,
    timeoutMs,
    async beforeCall() {
      await lookOnce()
    },
    onUnavailable() {
      looking = undefined
    },
  })

  return {
    rpc,
    inspect() {
      looking = undefined
      return lookOnce()
    },
  }
}
