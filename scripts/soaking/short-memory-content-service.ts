// A content service as it always is, but for how long it keeps what is over: a run of an hour is to see many times
// over what otherwise happens in a day.
import { runService } from '@hexachord/platform/process'
import { serviceName } from '../../content-service/service-name.ts'
import { startContentService } from '../../content-service/start-content-service.ts'

const secondMs = 1_000

await runService(serviceName, (context) =>
  startContentService(context, {
    times: {
      // Longer than the longest playback of a run.
      releaseGraceMs: 45 * secondMs,
      patienceMs: 10 * secondMs,
      graceMs: 20 * secondMs,
      urgentStepMs: 5 * secondMs,
      everythingEveryMs: 10 * secondMs,
      shedRetryMs: 20 * secondMs,
      leaseGraceMs: 60 * secondMs,
      repairLeaseMs: 60 * secondMs,
      collectEveryMs: 15 * secondMs,
      collectGraceMs: 60 * secondMs,
    },
    scrub: { passEveryMs: 60 * secondMs, idleMs: 5 * secondMs },
  }),
)
