import { existsSync } from 'node:fs'
import { chmod, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { findProgram } from '@hexachord/scripts/setup'

/** ffmpeg and ffprobe that stop where a test wants to look: just before a run with certain arguments begins. */
export type HeldPrograms = {
  /** For the configuration of a creator node. */
  readonly variables: { FFMPEG_PATH: string; FFPROBE_PATH: string }
  /** From now on whatever has `word` among its arguments waits. */
  hold(word: string): Promise<void>
  /** Whether something waits, or has waited, since `hold`. */
  isReached(): boolean
  release(): Promise<void>
}

export async function makeHeldPrograms(folder: string): Promise<HeldPrograms> {
  const holding = path.join(folder, 'holding')
  const reached = path.join(folder, 'reached')

  async function wrap(program: string): Promise<string> {
    const file = path.join(folder, `held-${program}`)
    const real = findProgram(program) ?? program
    const script = [
      '#!/bin/sh',
      `while [ -e '${holding}' ] && printf '%s ' "$@" | grep -qF -- "$(cat '${holding}' 2>/dev/null || echo nothing)"`,
      `do : > '${reached}'; sleep 0.05; done`,
      `exec '${real}' "$@"`,
    ]
    await writeFile(file, `${script.join('\n')}\n`)
    await chmod(file, 0o755)
    return file
  }

  const [FFMPEG_PATH, FFPROBE_PATH] = await Promise.all([wrap('ffmpeg'), wrap('ffprobe')])
  return {
    variables: { FFMPEG_PATH, FFPROBE_PATH },
    async hold(word) {
      await rm(reached, { force: true })
      await writeFile(holding, word)
    },
    isReached: () => existsSync(reached),
    async release() {
      await rm(holding, { force: true })
    },
  }
}
