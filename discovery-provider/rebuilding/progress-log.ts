import type { Logger } from '@hexachord/platform/process'
import type { Rebuild } from './building.ts'

const everyMs = 5_000

/** Logs each step of a rebuild, and now and then how far it is.
 * @param now ms */
export function createProgressLog(logger: Logger, now: () => number): (rebuild: Rebuild) => void {
  let saidStep = ''
  let saidMs = 0
  return ({ step, done, total }) => {
    if (step === saidStep && now() - saidMs < everyMs) return
    saidStep = step
    saidMs = now()
    logger.info({ step, done, total }, 'making tables anew')
  }
}
