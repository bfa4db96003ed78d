import { runService } from '@hexachord/platform/process'
import { serviceName } from './service-name.ts'
import { startCreatorNode } from './start-creator-node.ts'

await runService(serviceName, startCreatorNode)
