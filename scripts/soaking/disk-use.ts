import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { isGone } from './process-use.ts'

/** Bytes of the files of a node. */
export type DiskUse = {
  /** Files of blocks. */
  readonly blocks: number
  readonly sqlite: number
  /** Write-ahead log and shared memory of SQLite. */
  readonly wal: number
  /** Files that artists have sent, unfinished work, and the rest. */
  readonly other: number
}

/** Adds up the files of a data directory. What is removed meanwhile does not count. */
export async function diskUse(directory: string): Promise<DiskUse> {
  const use = { blocks: 0, sqlite: 0, wal: 0, other: 0 }
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(absent)
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const file = path.join(entry.parentPath, entry.name)
    const size = await stat(file).then(({ size }) => size, absentSize)
    use[kindOf(path.relative(directory, file))] += size
  }
  return use
}

function kindOf(file: string): keyof DiskUse {
  if (file.startsWith(`blocks${path.sep}`)) return 'blocks'
  if (/\.sqlite-(wal|shm)$/.test(file)) return 'wal'
  return file.endsWith('.sqlite') ? 'sqlite' : 'other'
}

function absent(error: unknown): never[] {
  if (isGone(error)) return []
  throw error
}

function absentSize(error: unknown): number {
  if (isGone(error)) return 0
  throw error
}
