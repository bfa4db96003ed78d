import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Counts, countsOfJest, failuresOfJest } from './counts.ts'
import { runCommand } from './run-command.ts'
import type { SuiteContext } from './suites.ts'

/** Which tests Jest runs, and how. */
export type JestSelection = {
  /** Globs; `<rootDir>` is the checkout. */
  testMatch: string[]
  /** Patterns of paths that belong to other suites. */
  ignore?: string[]
  workers: number
  testTimeoutMs: number
}

/** Of each file that has run some megabytes stay: to clean a heap that is full of them takes longer than a new worker. */
const mostHeapOfAWorker = '600MB'

/** Runs the tests of a selection, narrowed by the pattern of the context, and counts them. */
export async function runJest(selection: JestSelection, context: SuiteContext): Promise<Counts> {
  const { root, pattern, folder, environment, timeoutMs, signal } = context
  const reportFile = path.join(folder, 'jest-report.json')
  const shared = await readSharedConfig(root)
  const config = {
    ...shared,
    rootDir: root,
    testMatch: selection.testMatch,
    testPathIgnorePatterns: [...shared.testPathIgnorePatterns, ...(selection.ignore ?? [])],
    maxWorkers: selection.workers,
    ...(selection.workers > 1 ? { workerIdleMemoryLimit: mostHeapOfAWorker } : {}),
    testTimeout: selection.testTimeoutMs,
    cacheDirectory: path.join(root, '.hexachord/jest'),
  }
  const { code } = await runCommand({
    command: process.execPath,
    args: [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      path.join(root, 'node_modules/jest/bin/jest.js'),
      ...['--config', JSON.stringify(config), '--ci', '--json', '--outputFile', reportFile],
      // A suite without files is one that is still to be written; a pattern without files is a typing mistake.
      ...(pattern === undefined ? ['--passWithNoTests'] : ['--testPathPatterns', pattern]),
    ],
    cwd: root,
    environment,
    timeoutMs,
    signal,
  })
  const report = await readFile(reportFile, 'utf8')
  const counts = countsOfJest(report)
  for (const failure of failuresOfJest(report, root)) context.failed(failure)
  // Jest also fails for reasons that are no test, such as a pattern that matches nothing.
  return code === 0 || counts.failed > 0 ? counts : { ...counts, failed: 1 }
}

async function readSharedConfig(root: string): Promise<{ testPathIgnorePatterns: string[] }> {
  const module: { default: { testPathIgnorePatterns: string[] } } = await import(
    pathToFileURL(path.join(root, 'jest.config.mjs')).href
  )
  return module.default
}
