/** What happened how often in a run, and what should not have happened. */
export type Tally = {
  count(what: string, by?: number): void
  counts(): ReadonlyMap<string, number>
  of(what: string): number
  /** Something that a user would have noticed. */
  fault(kind: string, detail: string): void
  faults(): ReadonlyMap<string, readonly string[]>
}

/** Of each kind of fault so many are kept word by word. */
const keptFaults = 20

/** @param report told of each fault as it happens */
export function createTally(report: (line: string) => void): Tally {
  const counts = new Map<string, number>()
  const faults = new Map<string, string[]>()

  function count(what: string, by = 1): void {
    counts.set(what, (counts.get(what) ?? 0) + by)
  }

  return {
    count,
    counts: () => counts,
    of: (what) => counts.get(what) ?? 0,
    fault(kind, detail) {
      count(kind)
      const known = faults.get(kind) ?? []
      if (known.length < keptFaults) known.push(detail)
      faults.set(kind, known)
      report(`${kind}: ${detail}`)
    },
    faults: () => faults,
  }
}

/** An error with the reasons that its causes give. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : ` (${reasonOf(error.cause)})`
  return `${error.name}: ${error.message}${cause}`.slice(0, 600)
}
