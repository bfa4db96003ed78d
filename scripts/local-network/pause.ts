import { setTimeout as wait } from 'node:timers/promises'

/** Waits; false when the pause was cut short. */
export async function pause(durationMs: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false
  try {
    await wait(durationMs, undefined, { signal })
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}
