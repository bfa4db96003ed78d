import { runService } from '@hexachord/platform/process'
import { serviceName } from './service-name.ts'
import { startContentService } from './start-content-service.ts'

await runService(serviceName, startContentService)
