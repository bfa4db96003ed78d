// A content service as it always is, but one that brings what its ranks ask for, and lets go of what they do not, in
// seconds where others take minutes.
import { runService } from '@hexachord/platform/process'
import { serviceName } from '../../content-service/service-name.ts'
import { startContentService } from '../../content-service/start-content-service.ts'

await runService(serviceName, (context) =>
  startContentService(context, {
    times: {
      patienceMs: 500,
      graceMs: 1_000,
      urgentStepMs: 250,
      everythingEveryMs: 500,
      shedRetryMs: 1_500,
      shedPauseMs: 100,
      releaseGraceMs: 1_000,
    },
    reconcileMs: 2_000,
  }),
)
