import type { ProvableHeader, ProvenLog } from '@hexachord/protocol/archives'
import type { CatalogueIndex } from '../indexing/catalogue-index.ts'

/** Logs written at once: enough to make the statements worth their cost, few enough for memory. */
const mostLogs = 2_000
/** Blocks between two writes at most, so that a stop on the way loses little. */
const mostBlocks = 50_000

/** Collects proven blocks, which come one after the other, and adds them to the index in large ranges. */
export function createProvenRanges({
  index,
  finalized,
  signal,
}: {
  index: CatalogueIndex
  finalized: number
  signal: AbortSignal
}) {
  let first: ProvableHeader | undefined
  let last: ProvableHeader | undefined
  let withLogs: ProvableHeader[] = []
  let logs: ProvenLog[] = []

  async function flush(): Promise<void> {
    if (first === undefined || last === undefined) return
    const range = {
      fromBlock: first.number,
      toBlock: last.number,
      finalized: Math.min(finalized, last.number),
      logs: logs.map((log) => ({ ...log, topics: [...log.topics] })),
      blocks: withLogs.at(-1) === last ? withLogs : [...withLogs, last],
    }
    first = undefined
    withLogs = []
    logs = []
    await index.append(range, signal)
  }

  return {
    async add(header: ProvableHeader, found: readonly ProvenLog[]): Promise<void> {
      first ??= header
      last = header
      if (found.length > 0) withLogs.push(header)
      logs.push(...found)
      if (logs.length >= mostLogs || header.number - first.number + 1 >= mostBlocks) await flush()
    },
    flush,
  }
}
