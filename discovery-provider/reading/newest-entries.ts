/** Something that an author has published, or that one has reposted. Its id says which: `<author>-<number>`, or
 * `<author>/<target>`. */
export type Entry = { readonly atMs: number; readonly id: string }

/** What is known of an author, as a text, which takes a tenth of the memory that entries would. */
export type Known = {
  readonly author: string
  /** A line for each entry, newest first, those to come among them: its time and what its id has behind the author. A `+`
   * after them says that there are older ones. */
  readonly lines: string
}

/** @returns what the entry names, and whether its author has reposted it */
export function targetOf({ id }: Pick<Entry, 'id'>): { target: string; isRepost: boolean } {
  const slash = id.indexOf('/')
  return { target: id.slice(slash + 1), isRepost: slash >= 0 }
}

/** The newest entries of some authors together.
 * @param before where the entries begin: all are older
 * @param untilMs what is published is shown up to then
 * @returns undefined where an author may have one among them that is not known */
export function newestOf(
  authors: readonly Known[],
  { before, untilMs, count }: { before: Entry; untilMs: number; count: number },
): Entry[] | undefined {
  const found: Entry[] = []
  for (const { author, lines } of authors) {
    let end = -1
    for (let start = 0; start < lines.length; start = end + 1) {
      end = lines.indexOf('\n', start)
      // What tells that there are more.
      if (end < 0) break
      const { atMs, from } = timeAt(lines, start)
      const last = found[count - 1]
      if (last !== undefined && atMs < last.atMs) break
      if (atMs > before.atMs || (atMs > untilMs && lines[from] === '-')) continue
      const entry = { atMs, id: author + lines.slice(from, end) }
      if (last !== undefined && !isNewer(entry, last)) break
      if (!isNewer(before, entry)) continue
      found.splice(placeOf(entry, found), 0, entry)
      if (found.length > count) found.pop()
    }
  }
  const last = found[count - 1]
  return authors.some((known) => mayHaveNewer(known, last)) ? undefined : found
}

/** When the next of what some authors have scheduled is out (ms): infinity where nothing is, 0 where that is not known. */
export function nextReleaseMs(authors: readonly Known[], untilMs: number): number {
  let next = Number.POSITIVE_INFINITY
  for (const { lines } of authors) {
    let end = -1
    // Those that are not known come out sooner.
    if (isAllLater(lines, untilMs)) return 0
    for (let start = 0; start < lines.length; start = end + 1) {
      end = lines.indexOf('\n', start)
      if (end < 0) break
      const { atMs, from } = timeAt(lines, start)
      if (atMs <= untilMs) break
      if (lines[from] === '-') next = Math.min(next, atMs)
    }
  }
  return next
}

/** Whether there are older ones, and all that are known are still to come. */
function isAllLater(lines: string, untilMs: number): boolean {
  if (!lines.endsWith('+')) return false
  const start = lines.lastIndexOf('\n', lines.length - 3) + 1
  return timeAt(lines, start).atMs > untilMs
}

function mayHaveNewer({ author, lines }: Known, last: Entry | undefined): boolean {
  if (!lines.endsWith('+')) return false
  if (last === undefined) return true
  const end = lines.length - 2
  const start = lines.lastIndexOf('\n', end - 1) + 1
  const { atMs, from } = timeAt(lines, start)
  return isNewer({ atMs, id: author + lines.slice(from, end) }, last)
}

/** The time with which a line begins, and where it ends. */
function timeAt(lines: string, start: number): { atMs: number; from: number } {
  let atMs = 0
  let from = start
  for (; ; from++) {
    const digit = lines.charCodeAt(from) - zero
    if (!(digit >= 0 && digit <= 9)) return { atMs, from }
    atMs = atMs * 10 + digit
  }
}
const zero = '0'.charCodeAt(0)

/** As the database puts them in order: ids by code point where times are equal. */
function isNewer(one: Entry, other: Entry): boolean {
  return one.atMs > other.atMs || (one.atMs === other.atMs && one.id > other.id)
}

function placeOf(entry: Entry, sorted: readonly Entry[]): number {
  let place = sorted.length
  while (place > 0) {
    const other = sorted[place - 1]
    if (other === undefined || !isNewer(entry, other)) break
    place--
  }
  return place
}
