import type { ChainLog } from '@hexachord/platform/chain'
import type { PostgresClient } from '@hexachord/platform/postgres'
import {
  decodeActed,
  type KindName,
  keysRead,
  kinds,
  readAction,
  type VerdictName,
} from '@hexachord/protocol/actions'
import { authorOf, isSubject } from '@hexachord/protocol/names'
import { logOf, type StoredLogRow, storedLogColumns } from '../indexing/chain-records.ts'

/** Everything that one entry of the state can depend on. */
export type Closure = {
  /** Entries of which every action is here that may have set them. */
  readonly keys: ReadonlySet<string>
  /** In the order of the chain; of operators, too. */
  readonly logs: readonly ChainLog[]
  /** What was stored of those that are actions, by `<block>-<log index>`. */
  readonly verdicts: ReadonlyMap<string, VerdictName>
}

/** An entry that depends on more actions is left to a rebuild: so many are judged within seconds. */
const mostLogs = 2_000

/** Finds the logs on which an entry depends: the actions that may have set it, whatever became of them, those that may
 * have set what their rules read, and so on; and the events of all operators, on which receipts depend.
 * @returns undefined when they are too many */
export async function closureOf(
  client: PostgresClient,
  key: string,
  signal: AbortSignal,
): Promise<Closure | undefined> {
  const keys = new Set<string>()
  const logs = new Map<string, ChainLog>()
  const verdicts = new Map<string, VerdictName>()
  for (const row of await readOperatorLogs(client)) logs.set(placeOf(row), logOf(row))
  for (let wanted = [key]; wanted.length > 0; ) {
    signal.throwIfAborted()
    for (const one of wanted) keys.add(one)
    const next = new Set<string>()
    const writers = await readWriters(client, wanted)
    // As many as were asked for at most: there may be more.
    if (verdicts.size + writers.length >= mostLogs) return undefined
    for (const row of writers) {
      const place = placeOf(row)
      if (logs.has(place)) continue
      const log = logOf(row)
      const action = decodeActed(log)
      if (action === undefined) continue
      // What only the state before it names was named by an earlier action on the same subject.
      const named = keysRead(readAction(action))
      // Of registers all of an author and kind were read.
      if (!named.some((one) => keys.has(one))) continue
      logs.set(place, log)
      verdicts.set(place, row.verdict)
      for (const one of named) if (!keys.has(one)) next.add(one)
    }
    wanted = [...next]
  }
  const ordered = [...logs.values()].sort(
    (one, other) => one.blockNumber - other.blockNumber || one.logIndex - other.logIndex,
  )
  return { keys, logs: ordered, verdicts }
}

const numberOfKind = new Map<string, number>(
  Object.entries(kinds).map(([name, { number }]) => [name, number] as const),
)
/** Kinds that change the subject which they name, and not a register. */
const subjectKinds = Object.values(kinds)
  .filter((kind) => !('register' in kind))
  .map(({ number }) => number)

/** Which actions may set an entry: by whom, of which kinds, and about what; null where that says nothing. */
type Writers = { author: string; subject: string | null; kinds: number[] }

function writersOf(key: string): Writers {
  const slash = key.indexOf('/')
  const [space, name] = [key.slice(0, slash), key.slice(slash + 1)]
  const ofKind = (kind: KindName) => [numberOfKind.get(kind) ?? 0]
  if (space === 'subject' && isSubject(name)) {
    return { author: authorOf(name), subject: name, kinds: subjectKinds }
  }
  if (space === 'pin' && isSubject(name))
    return { author: authorOf(name), subject: name, kinds: ofKind('pin') }
  if (space === 'identity') return { author: name, subject: null, kinds: ofKind('rotate') }
  // `<author>/<target>` in the space that is named as the kind.
  return { author: name.slice(0, name.indexOf('/')), subject: null, kinds: [numberOfKind.get(space) ?? 0] }
}

type StoredRow = StoredLogRow & { verdict: VerdictName }

/** Reads the whole table of actions, which has no index on authors: it is done a few times a night. */
async function readWriters(client: PostgresClient, keys: readonly string[]): Promise<StoredRow[]> {
  const isHandle = (key: string) => key.startsWith('handle/')
  const writers = keys.filter((key) => !isHandle(key)).map(writersOf)
  const { rows } = await client.query<StoredRow>(
    `SELECT DISTINCT ON (l.block, l.log_index) a.verdict, ${storedLogColumns}
     FROM jsonb_to_recordset($1::jsonb) AS w (author text, subject text, kinds integer[])
     JOIN action a ON a.author = w.author AND a.kind = ANY (w.kinds) AND (w.subject IS NULL OR a.subject = w.subject)
     JOIN log l ON l.block = a.block AND l.log_index = a.log_index
     JOIN block b ON b.number = a.block
     LIMIT ${mostLogs}`,
    [JSON.stringify(writers)],
  )
  // Anybody may have had a handle. Content is canonical JSON, so that it stands there as it is.
  const handles = keys.filter(isHandle).map((key) => `"handle":"${key.slice('handle/'.length)}"`)
  if (handles.length === 0) return rows
  const takers = await client.query<StoredRow>(
    `SELECT a.verdict, ${storedLogColumns} FROM action a
     JOIN log l ON l.block = a.block AND l.log_index = a.log_index
     JOIN block b ON b.number = a.block
     WHERE a.kind = $1 AND EXISTS (
       SELECT FROM unnest($2::text[]) AS handle WHERE position(convert_to(handle, 'UTF8') IN l.data) > 0
     )
     LIMIT ${mostLogs}`,
    [kinds.user.number, handles],
  )
  return [...rows, ...takers.rows]
}

/** They are few: the index has all in memory, too. */
async function readOperatorLogs(client: PostgresClient): Promise<StoredRow[]> {
  const { rows } = await client.query<StoredRow>(
    `SELECT ${storedLogColumns} FROM operator_event e
     JOIN log l ON l.block = e.block AND l.log_index = e.log_index
     JOIN block b ON b.number = e.block`,
  )
  return rows
}

export function placeOf({ block, log_index }: { block: number; log_index: number }): string {
  return `${block}-${log_index}`
}
