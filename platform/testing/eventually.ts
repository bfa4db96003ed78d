import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until `check` neither throws nor rejects. After `deadlineMs` its last failure, which holds the value that
 * was expected and the one that was there, is the failure of the test.
 */
export async function eventually(check: () => Promise<void> | void, deadlineMs = 4_000): Promise<void> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(5)
    }
  }
}
