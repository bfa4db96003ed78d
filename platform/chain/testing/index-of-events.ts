import type { ChainEvent, ChainLog, KnownBlock } from '../index.ts'

/** The least that a consumer of `followChain` has to do right: applies events and refuses any that does not fit. */
export type EventIndex = {
  apply(event: ChainEvent): void
  logs(): ChainLog[]
  /** The newest block applied. */
  reached(): number
  finalized(): number
  known(): Promise<KnownBlock[]>
  readonly events: ChainEvent[]
}

export function createEventIndex(startBlock: number): EventIndex {
  let logs: ChainLog[] = []
  let blocks: KnownBlock[] = []
  let reached = startBlock - 1
  let finalized = 0
  const events: ChainEvent[] = []

  function applyRange(event: Extract<ChainEvent, { type: 'range' }>): void {
    if (event.fromBlock !== reached + 1)
      throw new Error(`range from ${event.fromBlock} after block ${reached}`)
    if (event.toBlock < event.fromBlock || event.toBlock > event.head)
      throw new Error('the range is no range')
    if (event.finalized < finalized) throw new Error('finality went back')
    if (event.blocks.at(-1)?.number !== event.toBlock) throw new Error('the last block is missing')
    const given = new Map(event.blocks.map((block) => [block.number, block.hash]))
    for (const log of event.logs) {
      if (given.get(log.blockNumber) !== log.blockHash) throw new Error('a log without its block')
    }
    for (let number = Math.max(event.fromBlock, event.finalized + 1); number <= event.toBlock; number += 1) {
      if (!given.has(number)) throw new Error(`block ${number} above finality is missing`)
    }
    logs.push(...event.logs)
    blocks.push(...event.blocks)
    reached = event.toBlock
    finalized = event.finalized
    const anchor = blocks.findLastIndex(({ number }) => number <= finalized)
    if (anchor > 0) blocks = blocks.slice(anchor)
  }

  return {
    events,
    apply(event) {
      events.push(event)
      if (event.type === 'range') {
        applyRange(event)
        return
      }
      if (event.toBlock >= reached && reached >= startBlock) throw new Error('a reorganisation of nothing')
      if (event.toBlock < finalized) throw new Error('a reorganisation of what was final')
      logs = logs.filter((log) => log.blockNumber <= event.toBlock)
      blocks = blocks.filter((block) => block.number <= event.toBlock)
      reached = event.toBlock
    },
    logs: () => logs,
    reached: () => reached,
    finalized: () => finalized,
    known: async () => blocks.map(({ number, hash }) => ({ number, hash })).toReversed(),
  }
}
