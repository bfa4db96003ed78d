import type { Logger } from '../process/index.ts'

/**
 * Applies the plain SQL files of `directory` that are not yet applied, in the order of their names
 * (`0001-name.sql`), under the advisory lock of node-pg-migrate: of two processes that start together one waits.
 * All pending files are one transaction.
 * @returns the names of the files applied now
 */
export async function migrate(options: {
  url: string
  directory: string
  logger: Logger
  /** @default `public` */
  schema?: string
}): Promise<string[]> {
  const { logger } = options
  // As it is loaded it makes a folder for compiled migrations among the temporary files; ours are plain SQL.
  process.env.JITI_FS_CACHE ??= 'false'
  const { runner } = await import('node-pg-migrate')
  const applied = await runner({
    databaseUrl: { connectionString: options.url, connectionTimeoutMillis: 5_000 },
    dir: options.directory,
    migrationLoaderStrategies: [{ extensions: ['.sql'], loader: 'sql' }],
    direction: 'up',
    migrationsTable: 'schema_migration',
    advisoryLockMode: 'wait',
    checkOrder: true,
    singleTransaction: true,
    ...(options.schema === undefined ? {} : { schema: options.schema, createSchema: true }),
    logger: {
      debug: (message: string) => logger.debug(message),
      info: (message: string) => logger.debug(message),
      warn: (message: string) => logger.warn(message),
      error: (message: string) => logger.error(message),
    },
  })
  return applied.map(({ name }) => name)
}
