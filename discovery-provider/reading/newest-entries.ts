/** Something that an author has published, or that one has reposted. Its id says which: `<author>-<number>`, or
 * `<author>/<target>`. */
export type Entry = { readonly atMs: number; readonly id: string }

/** What is known of an author. */
export type Entries = {
  /** Newest first, those to come among them. */
  readonly newest: readonly Entry[]
  /** Whether there are older ones. */
  readonly isCut: boolean
}

/** @returns what the entry names, and whether its author has reposted it */
export function targetOf({ id }: Entry): { target: string; isRepost: boolean } {
  const slash = id.indexOf('/')
  return { target: id.slice(slash + 1), isRepost: slash >= 0 }
}

/** The newest entries of some authors together.
 * @param before where the entries begin: all are older
 * @param untilMs what is published is shown up to then
 * @returns undefined where an author may have one among them that is not known */
export function newestOf(
  authors: Iterable<Entries>,
  { before, untilMs, count }: { before: Entry; untilMs: number; count: number },
): Entry[] | undefined {
  const found: Entry[] = []
  for (const { newest } of authors) {
    for (const entry of newest) {
      const last = found[count - 1]
      if (last !== undefined && !isNewer(entry, last)) break
      if (!isNewer(before, entry) || (entry.atMs > untilMs && !targetOf(entry).isRepost)) continue
      found.splice(placeOf(entry, found), 0, entry)
      if (found.length > count) found.pop()
    }
  }
  const last = found[count - 1]
  for (const { newest, isCut } of authors) {
    const oldest = newest.at(-1)
    if (isCut && (last === undefined || oldest === undefined || isNewer(oldest, last))) return undefined
  }
  return found
}

/** As the database puts them in order: ids by code point where times are equal. */
function isNewer(one: Entry, other: Entry): boolean {
  return one.atMs > other.atMs || (one.atMs === other.atMs && one.id > other.id)
}

/** Mostly near the end: authors who have much to show come no earlier than others. */
function placeOf(entry: Entry, sorted: readonly Entry[]): number {
  let place = sorted.length
  while (place > 0) {
    const other = sorted[place - 1]
    if (other === undefined || !isNewer(entry, other)) break
    place--
  }
  return place
}
