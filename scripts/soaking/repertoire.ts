import type { Subject } from '@hexachord/protocol/names'

/** A track as its artist knows it: what was acknowledged. */
export type Work = {
  readonly subject: Subject
  readonly manifest: string
  readonly title: string
  /** All blocks of the track. */
  readonly byteLength: number
}

/** What the artists of a run have published, and what they took back. */
export type Repertoire = {
  /** Notes a track that is published, also when it takes the place of an earlier one. */
  published(work: Work): void
  /** Its artist is about to take it back: from now on it may be gone. */
  withdrawing(subject: Subject): void
  unpublished(subject: Subject): void
  /** What anybody can play, without doubt. */
  live(): readonly Work[]
  isLive(subject: Subject): boolean
  /** Of the tracks that are not gone. */
  liveBytes(): number
  /** Of all that was ever published. */
  totalBytes(): number
  /** What was replaced or taken back after `sinceMs`: nodes may still keep it. */
  goneBytes(sinceMs: number): number
}

/** @param now ms */
export function createRepertoire(now: () => number): Repertoire {
  const works = new Map<Subject, Work>()
  const leaving = new Set<Subject>()
  const gone: { atMs: number; byteLength: number }[] = []
  let totalBytes = 0

  function takeAway(subject: Subject): void {
    const work = works.get(subject)
    if (work === undefined) return
    works.delete(subject)
    leaving.delete(subject)
    gone.push({ atMs: now(), byteLength: work.byteLength })
  }

  return {
    published(work) {
      if (works.get(work.subject)?.manifest !== work.manifest) {
        takeAway(work.subject)
        totalBytes += work.byteLength
      }
      works.set(work.subject, work)
    },
    withdrawing: (subject) => void leaving.add(subject),
    unpublished: takeAway,
    live: () => [...works.values()].filter(({ subject }) => !leaving.has(subject)),
    isLive: (subject) => works.has(subject) && !leaving.has(subject),
    liveBytes: () => [...works.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
    totalBytes: () => totalBytes,
    goneBytes: (sinceMs) =>
      gone.filter(({ atMs }) => atMs >= sinceMs).reduce((sum, { byteLength }) => sum + byteLength, 0),
  }
}
