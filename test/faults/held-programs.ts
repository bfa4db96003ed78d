import { existsSync } from 'node:fs'
import { chmod, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { findProgram } from '@hexachord/scripts/setup'

/** ffmpeg and ffprobe that stop where a test wants to look: just before a run with certain arguments begins; or that
 * take their time over it. */
export type HeldPrograms = {
  /** For the configuration of a creator node. */
  readonly variables: { FFMPEG_PATH: string; FFPROBE_PATH: string }
  /** From now on whatever has `word` among its arguments waits. */
  hold(word: string): Promise<void>
  /** From now on an ffmpeg that has `word` among its arguments reads no faster than four times as fast as one listens. */
  slow(word: string): Promise<void>
  /** Whether something waits, or has waited, since `hold`. */
  isReached(): boolean
  release(): Promise<void>
}

export async function makeHeldPrograms(folder: string): Promise<HeldPrograms> {
  const holding = path.join(folder, 'holding')
  const reached = path.join(folder, 'reached')
  const slowing = path.join(folder, 'slowing')

  async function wrap(program: string): Promise<string> {
    const file = path.join(folder, `held-${program}`)
    const real = findProgram(program) ?? program
    const script = [
      '#!/bin/sh',
      `among() { [ -e "$1" ] && printf '%s ' "$arguments" | grep -qF -- "$(cat "$1" 2>/dev/null || echo nothing)"; }`,
      'arguments=$*',
      `while among '${holding}'; do : > '${reached}'; sleep 0.05; done`,
      `among '${slowing}' && exec '${real}' -readrate 4 "$@"`,
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
    slow: (word) => writeFile(slowing, word),
    isReached: () => existsSync(reached),
    async release() {
      await rm(holding, { force: true })
      await rm(slowing, { force: true })
    },
  }
}
