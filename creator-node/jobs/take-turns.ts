import type { Address } from '@hexachord/protocol/names'
import type { QueuedUpload, UploadStore } from '../uploads/index.ts'

/** Who is worked on, and who is next. */
export type Turns = {
  /** Gives the free places to those whose turn it is. @returns who has a place from now on */
  next(): string[]
  /** All who have a place: those whose work a crash interrupted before everybody else. */
  inLine(): string[]
  /** Gives an upload's place back. */
  end(id: string): void
  /** Uploads whose turn comes before that of one which waits. */
  ahead(id: string): number
}

/** @param options.places uploads that may have a place at one time */
export function createTurns({
  uploads,
  places,
}: {
  uploads: Pick<UploadStore, 'get' | 'inState' | 'queue'>
  places: number
}): Turns {
  const line = new Map<string, Address>()

  function waiting(): QueuedUpload[] {
    const underWork = new Map<Address, number>()
    for (const account of line.values()) underWork.set(account, (underWork.get(account) ?? 0) + 1)
    return inTurn(
      uploads.queue().filter(({ id }) => !line.has(id)),
      underWork,
    )
  }

  function next(): string[] {
    const free = places - line.size
    if (free <= 0) return []
    const chosen = waiting().slice(0, free)
    for (const { id, account } of chosen) line.set(id, account)
    return chosen.map(({ id }) => id)
  }

  return {
    next,
    inLine() {
      for (const id of line.keys()) {
        const state = uploads.get(id)?.state
        if (state !== 'queued' && state !== 'processing') line.delete(id)
      }
      for (const { id, account } of uploads.inState('processing')) line.set(id, account)
      next()
      return [...line.keys()]
    },
    end: (id) => void line.delete(id),
    ahead(id) {
      const before = [...line.keys()].filter((other) => uploads.get(other)?.state === 'queued')
      const order = [...before, ...waiting().map((upload) => upload.id)]
      return Math.max(0, order.indexOf(id))
    },
  }
}

/**
 * The order in which waiting uploads are worked on: one of each account in turn, so that whoever sends a hundred
 * files delays nobody who sends one. Within an account the first that came goes first; among accounts with equally
 * many under work, the one whose upload has waited longest. Pure.
 * @param queue longest waiting first
 * @param underWork uploads of each account that are worked on now
 */
export function inTurn(
  queue: readonly QueuedUpload[],
  underWork: ReadonlyMap<Address, number>,
): QueuedUpload[] {
  const before = new Map(underWork)
  return queue
    .map((upload) => {
      const round = before.get(upload.account) ?? 0
      before.set(upload.account, round + 1)
      return { upload, round }
    })
    .sort((a, b) => a.round - b.round)
    .map(({ upload }) => upload)
}
