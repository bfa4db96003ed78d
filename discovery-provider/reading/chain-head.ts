import type { Block, ChainReader } from '@hexachord/platform/chain'

/** The newest block of the chain, asked for at most once a second however many ask us. */
export type ChainHead = {
  /** @throws what the reader throws */
  current(): Promise<Block>
  /** Undefined until the chain has answered once. */
  readonly lastSeen: Block | undefined
  /** When that was (ms). */
  readonly lastSeenAtMs: number | undefined
}

const freshMs = 1_000

/** @param now ms */
export function watchChainHead(reader: Pick<ChainReader, 'head'>, now: () => number): ChainHead {
  let lastSeen: Block | undefined
  let lastSeenAtMs: number | undefined
  let asked: Promise<Block> | undefined
  let untilMs = 0

  async function ask(): Promise<Block> {
    lastSeen = await reader.head()
    lastSeenAtMs = now()
    return lastSeen
  }

  return {
    get lastSeen() {
      return lastSeen
    },
    get lastSeenAtMs() {
      return lastSeenAtMs
    },
    current() {
      if (asked === undefined || now() >= untilMs) {
        untilMs = now() + freshMs
        asked = ask()
      }
      return asked
    },
  }
}
