import { setTimeout as delay } from 'node:timers/promises'
import { type Checkpoint, readCheckpoint } from '../indexing/index.ts'
import type { Database } from '../reading/entity.ts'

/** How far the index is, and whether what it said before still holds. */
export type IndexHead = Checkpoint & {
  /** One more each time a reorganisation has taken something back. */
  readonly turns: number
}

/** Looks at the index once for everybody who wants to hear of it, and not at all while nobody does. */
export type HeadWatch = {
  current(): Promise<IndexHead>
  /** The next head that is another one, or undefined after a time in ms. */
  next(than: IndexHead, withinMs: number, signal: AbortSignal): Promise<IndexHead | undefined>
}

/** Another process may write the index: it can only be looked at. */
const lookEveryMs = 1_000

/** @param now ms of a clock that never goes back */
export function watchHead(database: Database, now: () => number): HeadWatch {
  let head: IndexHead | undefined
  let looked: { readonly at: number; readonly look: Promise<IndexHead> } | undefined

  async function look(): Promise<IndexHead> {
    const checkpoint = await readCheckpoint(database)
    if (checkpoint === undefined) throw new Error('the index has no checkpoint yet')
    const before = head
    const isTurned = before !== undefined && !(await stillHolds(database, before, checkpoint))
    head = { ...checkpoint, turns: (before?.turns ?? 0) + (isTurned ? 1 : 0) }
    return head
  }

  function current(): Promise<IndexHead> {
    if (looked === undefined || now() - looked.at >= lookEveryMs) looked = { at: now(), look: look() }
    return looked.look
  }

  return {
    current,
    async next(than, withinMs, signal) {
      const endMs = now() + withinMs
      while (now() < endMs && !signal.aborted) {
        const found = await current()
        if (found.indexed !== than.indexed || found.turns !== than.turns) return found
        await delay(lookEveryMs, undefined, { signal }).catch((error: unknown) => {
          if (!signal.aborted) throw error
        })
      }
      return undefined
    },
  }
}

/** Whether the last block with logs of an earlier head is still what it was. */
async function stillHolds(database: Database, before: Checkpoint, after: Checkpoint): Promise<boolean> {
  if (after.stateHash === before.stateHash) return true
  if (after.indexed < before.stateHashBlock) return false
  const { rows } = await database.query<{ state_hash: string }>(
    'SELECT state_hash FROM block WHERE number <= $1 AND logs > 0 ORDER BY number DESC LIMIT 1',
    [before.stateHashBlock],
  )
  const [row] = rows
  return row === undefined || row.state_hash === before.stateHash
}
