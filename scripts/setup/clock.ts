import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SetupError } from './setup-error.ts'

/** No checkout of Hexachord is older, so a clock that shows an earlier time is wrong. */
const firstReleaseMs = Date.UTC(2026, 0, 1)
const farFutureMs = Date.UTC(2100, 0, 1)
/** Tokens between nodes live for 60 s: a disk whose clock is further off than this would confuse them. */
const toleratedDriftMs = 30_000

/**
 * Throws SetupError when the clock cannot be right: before the first release, absurdly late, or apart
 * from the clock of the disk (a file system of another machine, or a virtual machine just woken up).
 */
export async function checkClock(directory: string, now: () => number = Date.now): Promise<void> {
  const nowMs = now()
  if (nowMs < firstReleaseMs || nowMs > farFutureMs) {
    throw new SetupError(
      `The clock of this machine shows ${new Date(nowMs).toISOString()}. Set it (timedatectl set-ntp true) and run this again.`,
    )
  }
  const probe = await mkdtemp(path.join(directory, 'clock-'))
  try {
    await writeFile(path.join(probe, 'now'), '')
    const { mtimeMs } = await stat(path.join(probe, 'now'))
    const driftMs = Math.round(Math.abs(mtimeMs - nowMs))
    if (driftMs > toleratedDriftMs) {
      throw new SetupError(
        `The clock of this machine and the clock of the disk at ${directory} differ by ${Math.round(driftMs / 1000)} s. Set the clock, or use a local disk.`,
      )
    }
  } finally {
    await rm(probe, { recursive: true, force: true })
  }
}
