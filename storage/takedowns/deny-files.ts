import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '@hexachord/platform/process'
import { type Denylist, readDenylist } from './denylist.ts'

/** The denylists in an operator's directory, as they are now. */
export type DenyFiles = {
  /** Which list refuses a block; lists that come later by name have the last word. */
  refusing(cid: string): string | undefined
  counts(): DenyFileCounts
  close(): Promise<void>
}

export type DenyFileCounts = {
  /** Lists in force, and files that are none. */
  readonly lists: number
  readonly refusedLists: number
  readonly rules: number
  readonly badLines: number
}

/** Together they may take some hundred MB of memory; nobody needs more than a few. */
const mostFiles = 32
const largestFile = 64 * 1024 * 1024
const defaultEveryMs = 5_000

type Known = { readonly state: string; readonly list: Denylist | undefined; readonly refused: boolean }

export const noDenyFiles: DenyFiles = {
  refusing: () => undefined,
  counts: () => ({ lists: 0, refusedLists: 0, rules: 0, badLines: 0 }),
  async close() {},
}

/**
 * Reads the `*.deny` files of a directory, and again whenever one has changed. A file that cannot be read, or is no
 * list, leaves in force what it said before; its mistakes are in the log.
 * @throws when the directory itself cannot be read at the start
 */
export async function watchDenyFiles(options: {
  directory: string
  onChange: () => void
  logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Between two looks at the directory, in ms. @default 5 s */
  everyMs?: number | undefined
}): Promise<DenyFiles> {
  const { directory, onChange, logger } = options
  const everyMs = options.everyMs ?? defaultEveryMs
  const closing = new AbortController()
  const { signal } = closing
  let known = new Map<string, Known>()
  let tooMany = false

  /** @returns whether anything is other than before */
  async function look(): Promise<boolean> {
    const entries = await readdir(directory)
    const all = entries.filter((name) => name.endsWith('.deny')).sort()
    const names = all.slice(0, mostFiles)
    if (all.length > names.length && !tooMany) {
      logger.error({ directory, files: all.length }, `only the first ${mostFiles} denylists are honoured`)
    }
    tooMany = all.length > names.length
    const next = new Map<string, Known>()
    for (const name of names) next.set(name, await lookAt(name, known.get(name)))
    const changed =
      next.size !== known.size || [...next].some(([name, { list }]) => known.get(name)?.list !== list)
    known = next
    return changed
  }

  async function lookAt(name: string, before: Known | undefined): Promise<Known> {
    const path = join(directory, name)
    let state = 'unreadable'
    try {
      const { mtimeMs, size, ino } = await stat(path)
      state = `${ino} ${mtimeMs} ${size}`
      if (before?.state === state) return before
      if (size > largestFile) throw new RangeError(`it has ${size} bytes; ${largestFile} are read at most`)
      const list = await parseInTurns(await readFile(path, 'utf8'))
      const { rules, ignored, bad, badLines } = list
      logger.info({ list: name, rules, ignored }, 'denylist read')
      if (bad > 0) logger.warn({ list: name, bad, badLines }, 'lines of a denylist are no rules')
      return { state, list, refused: false }
    } catch (err) {
      if (before?.state !== state) logger.error({ err, list: name }, 'denylist cannot be honoured')
      return { state, list: before?.list, refused: true }
    }
  }

  async function parseInTurns(text: string): Promise<Denylist> {
    const steps = readDenylist(text)
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) return step.value
      signal.throwIfAborted()
      await nextTurn()
    }
  }

  async function keepLooking(): Promise<void> {
    let failing = false
    for (;;) {
      await delay(everyMs, undefined, { signal })
      try {
        if (await look()) onChange()
        failing = false
      } catch (err) {
        if (!failing && !signal.aborted) logger.error({ err, directory }, 'denylists cannot be looked at')
        failing = true
      }
    }
  }

  await look()
  const looking = keepLooking().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })

  return {
    refusing(cid) {
      for (const [name, { list }] of [...known].reverse()) {
        const verdict = list?.verdict(cid)
        if (verdict !== undefined) return verdict === 'deny' ? name : undefined
      }
      return undefined
    },
    counts() {
      const all = [...known.values()]
      const lists = all.flatMap(({ list }) => list ?? [])
      return {
        lists: lists.length,
        refusedLists: all.filter(({ refused }) => refused).length,
        rules: lists.reduce((sum, { rules }) => sum + rules, 0),
        badLines: lists.reduce((sum, { bad }) => sum + bad, 0),
      }
    },
    async close() {
      closing.abort(new DOMException('denylists are no longer watched', 'AbortError'))
      await looking
    },
  }
}
