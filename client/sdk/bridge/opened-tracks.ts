import { blocksOf } from '@hexachord/protocol/manifests'
import type { Subject } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import { findTrack } from '../finding/index.ts'
import { type OpenedTrack, type OpenOptions, openTrack } from '../playing/index.ts'

/** Tracks that are kept open; the least recently used one goes first. */
const maximumOpen = 50

export type BridgedTrack = {
  readonly track: OpenedTrack
  /** Names of the blocks that belong to it. */
  readonly cids: ReadonlySet<string>
}

export type OpenedTracks = {
  open(subject: Subject): Promise<BridgedTrack>
  /** The next `open` asks anew who holds the track. */
  forget(subject: Subject): void
}

/** Keeps the tracks open that are being played. @param options.signal ends what is being opened */
export function createOpenedTracks(
  connection: Connection,
  options: OpenOptions & { readonly signal: AbortSignal },
): OpenedTracks {
  const opened = new Map<Subject, Promise<BridgedTrack>>()

  async function find(subject: Subject): Promise<BridgedTrack> {
    const found = await findTrack(connection, subject, { signal: options.signal })
    const track = await openTrack(connection, found, options)
    return { track, cids: new Set(blocksOf(track.loaded).map(({ cid }) => cid)) }
  }

  return {
    async open(subject) {
      const track = opened.get(subject) ?? find(subject)
      opened.delete(subject)
      opened.set(subject, track)
      const [oldest] = opened.keys()
      if (opened.size > maximumOpen && oldest) opened.delete(oldest)
      try {
        return await track
      } catch (error) {
        // One that failed is not kept: the next request tries again.
        if (opened.get(subject) === track) opened.delete(subject)
        throw error
      }
    },
    forget: (subject) => void opened.delete(subject),
  }
}
