import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checked } from '@hexachord/protocol/checked'
import { addressSchema, subjectSchema } from '@hexachord/protocol/names'
import * as z from 'zod'

const entrySchema = z.object({
  track: subjectSchema,
  author: addressSchema,
  title: z.string(),
  artist: z.string(),
  playedAtMs: z.int(),
})
export type HistoryEntry = z.infer<typeof entrySchema>

/** What was played here. It is kept on this machine alone, by whoever has asked for it: a provider that kept it would
 * know who listens to what. */
export type ListeningHistory = {
  /** Begins to keep it. */
  begin(): Promise<void>
  /** Keeps it no more, and forgets what there is. */
  end(): Promise<void>
  /** Does nothing where no history is kept. */
  add(entry: HistoryEntry): Promise<void>
  /** Newest first; undefined where no history is kept. */
  list(atMost: number): Promise<HistoryEntry[] | undefined>
}

/** One line per play, in a file that only its owner reads. */
export function fileListeningHistory(directory: string): ListeningHistory {
  const path = join(directory, 'history.jsonl')

  async function lines(): Promise<string[] | undefined> {
    try {
      return (await readFile(path, 'utf8')).split('\n')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    }
  }

  return {
    async begin() {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await writeFile(path, '', { flag: 'a', mode: 0o600 })
    },
    end: () => rm(path, { force: true }),
    async add(entry) {
      if ((await lines()) !== undefined) await appendFile(path, `${JSON.stringify(entry)}\n`)
    },
    async list(atMost) {
      return (await lines())?.reverse().flatMap(entryIn).slice(0, atMost)
    },
  }
}

/** A line that was cut short by a crash is none. */
function entryIn(line: string): HistoryEntry[] {
  try {
    const parsed = checked(entrySchema, JSON.parse(line))
    return parsed.success ? [parsed.data] : []
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
}
