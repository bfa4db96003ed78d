export { ConfigError, type ConfigMistake, type Environment, loadConfig } from './config.ts'
export { checkKeyFile, readKeyFile } from './key-file.ts'
export { createLifecycle, type Lifecycle } from './lifecycle.ts'
export { createLogger, type Logger, type LogLevel } from './logger.ts'
export {
  type Counter,
  createMetrics,
  type Gauge,
  type Histogram,
  type Metrics,
  serveMetrics,
} from './metrics.ts'
export { runService, type ServiceContext } from './run-service.ts'
export {
  accountAddress,
  byteSize,
  commaList,
  flag,
  httpUrl,
  keyFile,
  origin,
  portNumber,
  serverVariables,
  wholeNumber,
} from './variables.ts'
