import { setTimeout as delay } from 'node:timers/promises'
import type { Postgres } from '@hexachord/platform/postgres'
import type { Logger, Metrics } from '@hexachord/platform/process'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import { isIndexComplete } from '../indexing/index.ts'
import { compareSamples } from './compare-samples.ts'
import { findDrift, repairDrift } from './tally-drift.ts'

/** Looks once a night whether what is stored still follows from the chain's logs. */
export type DailyChecks = {
  /** For as long as this process writes the index; ends with the signal. A check that fails is told of, and ends
   * nothing. */
  run(signal: AbortSignal): Promise<void>
  /** Does not wait for the night. */
  startNow(): void
}

const dayMs = 86_400_000
/** At night in Europe and Africa, in the evening in America; providers do not all begin at once. */
const earliestMs = 3 * 3_600_000
const jitterMs = 2 * 3_600_000

/** How many of what is wrong are named in the log. */
const namedInLog = 10

/** @param now ms
 * @param random from 0 to 1 */
export function createDailyChecks({
  postgres,
  rules,
  metrics,
  logger,
  now,
  random,
}: {
  postgres: Postgres
  rules: CatalogueRules
  metrics: Metrics
  logger: Logger
  now: () => number
  random: () => number
}): DailyChecks {
  const drift = metrics.gauge({
    name: 'counter_drift_rows',
    help: 'Counters that the last check found to be wrong, and repaired',
  })
  const mismatch = metrics.gauge({
    name: 'check_mismatches',
    help: 'What the last check found stored that does not follow from the logs',
  })
  const finished = metrics.gauge({
    name: 'check_finished_seconds',
    help: 'When the checks last came to their end, in unix seconds',
  })
  const failures = metrics.counter({ name: 'check_failures_total', help: 'Checks that failed themselves' })
  let asked = new AbortController()

  async function checkCounters(signal: AbortSignal): Promise<void> {
    // A first synchronisation counts in its end.
    if (!(await isIndexComplete(postgres))) return
    const drifts = await findDrift(postgres, signal)
    drift.set(drifts.length)
    if (drifts.length === 0) return
    logger.error({ rows: drifts.length, some: drifts.slice(0, namedInLog) }, 'counters had drifted')
    await repairDrift(postgres, drifts)
  }

  async function checkSamples(signal: AbortSignal): Promise<void> {
    const { compared, skipped, mismatches } = await compareSamples({ postgres, rules, random, signal })
    mismatch.set(mismatches.length)
    logger.info({ compared: compared.length, skipped: skipped.length }, 'derived samples of the state anew')
    if (mismatches.length > 0) {
      const some = mismatches.slice(0, namedInLog)
      logger.error({ count: mismatches.length, some }, 'what is stored does not follow from the logs')
    }
  }

  async function checkAll(signal: AbortSignal): Promise<void> {
    for (const check of [checkCounters, checkSamples]) {
      try {
        await check(signal)
      } catch (err) {
        if (signal.aborted) return
        failures.inc()
        logger.error({ err, check: check.name }, 'a check failed')
      }
    }
    finished.set(now() / 1000)
    logger.info('checked what is stored')
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        const either = AbortSignal.any([signal, asked.signal])
        await delay(msUntilNextCheck(now(), random()), undefined, { signal: either }).catch(
          (error: unknown) => {
            if (!either.aborted) throw error
          },
        )
        if (signal.aborted) return
        asked = new AbortController()
        await checkAll(signal)
      }
    },
    startNow: () => asked.abort(),
  }
}

/** One night has one check, wherever in it the process began to wait.
 * @param random from 0 to 1 */
export function msUntilNextCheck(nowMs: number, random: number): number {
  const days = Math.floor((nowMs - earliestMs) / dayMs) + 1
  return days * dayMs + earliestMs + Math.floor(random * jitterMs) - nowMs
}
