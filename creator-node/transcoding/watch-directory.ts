import { type FSWatcher, watch } from 'node:fs'

/** Tells when names may have changed in a directory. */
export type DirectoryWatch = {
  /** Resolves when a name next comes or goes, or after `pollMs` in case the system told nothing. */
  changed(): Promise<void>
  /** Makes a waiting `changed` resolve now. */
  poke(): void
  close(): void
}

/** Events of the file system come at once, but may get lost or be unavailable: then this is how late we are. */
const pollMs = 250

export function watchDirectory(directory: string): DirectoryWatch {
  let dirty = true
  let wake: (() => void) | null = null
  let timer: NodeJS.Timeout | undefined
  const poke = () => {
    dirty = true
    wake?.()
  }
  const watcher = startWatcher(directory, poke)
  return {
    async changed() {
      if (!dirty) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        timer = setTimeout(resolve, pollMs)
        await promise
        clearTimeout(timer)
        wake = null
      }
      dirty = false
    },
    poke,
    close() {
      watcher?.close()
      clearTimeout(timer)
      wake?.()
    },
  }
}

/** Null where the system has no watch to give (its limit is reached): polling alone does the work then. */
function startWatcher(directory: string, onChange: () => void): FSWatcher | null {
  let watcher: FSWatcher
  try {
    // What is only written on to is of no use yet.
    watcher = watch(directory, { persistent: false }, (event) => event === 'rename' && onChange())
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EMFILE')) {
      return null
    }
    throw error
  }
  watcher.on('error', () => watcher.close())
  return watcher
}
