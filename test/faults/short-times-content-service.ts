// A content service as it always is, but one that waits seconds where others wait minutes, and scrubs all the time, or as
// TEST_SCRUB_EVERY_MS says.
import { runService } from '@hexachord/platform/process'
import { serviceName } from '../../content-service/service-name.ts'
import { startContentService } from '../../content-service/start-content-service.ts'

await runService(serviceName, (context) =>
  startContentService(context, {
    times: {
      patienceMs: 1_000,
      graceMs: 3_000,
      urgentStepMs: 500,
      everythingEveryMs: 1_000,
      shedRetryMs: 60_000,
    },
    scrub: {
      passEveryMs: Number(context.env.TEST_SCRUB_EVERY_MS ?? 1_000),
      idleMs: 500,
      bytesPerSecond: 256 * 1024 ** 2,
    },
  }),
)
