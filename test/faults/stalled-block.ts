import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, renameSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'

/** A block that its node asks its disk for and does not get. */
export type StalledBlock = {
  /** Whether the node waits for it. */
  isAsked(): boolean
  restore(): void
}

/**
 * Puts a pipe in the place of a block's file: whoever opens it to read waits for somebody who writes.
 * @param folder of the node's blocks
 */
export async function stallBlock(folder: string, cid: string): Promise<StalledBlock> {
  const name = (await readdir(folder, { recursive: true })).find((one) => path.basename(one) === cid)
  if (name === undefined) throw new Error(`there is no file of ${cid}`)
  const file = path.join(folder, name)
  renameSync(file, `${file}.kept`)
  execFileSync('mkfifo', [file])
  let writing: number | undefined
  return {
    isAsked() {
      try {
        // Kept open, so that what is read ends no more than it begins.
        writing ??= openSync(file, constants.O_WRONLY | constants.O_NONBLOCK)
        return true
      } catch (error) {
        // open(2): ENXIO is said of a pipe that nobody reads.
        if (error instanceof Error && 'code' in error && error.code === 'ENXIO') return false
        throw error
      }
    },
    restore() {
      if (writing !== undefined) closeSync(writing)
      rmSync(file)
      renameSync(`${file}.kept`, file)
    },
  }
}
