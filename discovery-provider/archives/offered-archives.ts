import { FetchFailed, type GuardedFetch } from '@hexachord/platform/http'
import { type ArchiveEntry, archiveEntrySchema } from '@hexachord/protocol/archives'
import { parsed } from '@hexachord/protocol/checked'
import { listOf } from '@hexachord/protocol/rest'

const listSchema = listOf(archiveEntrySchema)
const pageSize = 500
/** A million epochs; what lists more does so to keep us busy. */
const mostPages = 2_000
const pageTimeoutMs = 10_000
const pageBytes = 1 << 20

/** Archives by epoch, oldest first; of each epoch those first that most gateways name. Nothing of it is believed. */
export type OfferedArchives = readonly { readonly epoch: number; readonly candidates: readonly Candidate[] }[]

export type Candidate = Pick<ArchiveEntry, 'epoch' | 'root' | 'fromBlock' | 'toBlock'> & {
  /** Gateways that name it. */
  readonly origins: readonly string[]
}

/**
 * Asks gateways which archives they hold that end behind a block.
 * @param onFault hears of a gateway that cannot be used, and why
 */
export async function offeredArchives(
  origins: readonly string[],
  behind: number,
  options: { fetch: GuardedFetch; signal: AbortSignal; onFault: (origin: string, error: Error) => void },
): Promise<OfferedArchives> {
  const lists = await Promise.all(
    origins.map(async (origin) => ({ origin, entries: await listAt(origin, options) })),
  )
  const epochs = new Map<number, Map<string, Candidate>>()
  for (const { origin, entries } of lists) {
    for (const { epoch, root, fromBlock, toBlock } of entries) {
      if (toBlock <= behind) continue
      const roots = epochs.get(epoch) ?? new Map<string, Candidate>()
      const others = roots.get(root)?.origins ?? []
      roots.set(root, { epoch, root, fromBlock, toBlock, origins: [...others, origin] })
      epochs.set(epoch, roots)
    }
  }
  return [...epochs]
    .sort(([one], [other]) => one - other)
    .map(([epoch, roots]) => ({
      epoch,
      candidates: [...roots.values()].sort((one, other) => other.origins.length - one.origins.length),
    }))
}

async function listAt(
  origin: string,
  { fetch, signal, onFault }: Parameters<typeof offeredArchives>[2],
): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = []
  try {
    let after = -1
    for (let page = 0; page < mostPages; page++) {
      const response = await fetch(`${origin}/archives?after=${after}&limit=${pageSize}`, {
        signal,
        timeoutMs: pageTimeoutMs,
        maxBytes: pageBytes,
      })
      if (!response.ok) throw new FetchFailed(`${origin} answers ${response.status}`)
      const { items, next } = parsed(listSchema, await response.json())
      const last = items.at(-1)
      if (last === undefined || items.some(({ epoch }) => epoch <= after)) break
      entries.push(...items)
      after = last.epoch
      if (next === null) break
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof Error)) throw error
    onFault(origin, error)
  }
  return entries
}
