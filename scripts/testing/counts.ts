import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { z } from 'zod'

/** How the tests of a suite ended. */
export type Counts = { passed: number; failed: number; skipped: number }

export const noTests: Counts = { passed: 0, failed: 0, skipped: 0 }

export function addCounts(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}

/** `3 passed, 1 failed`, and `, 2 skipped` when there are any. */
export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** A report that was not written, or not by the program that we think. */
export class ReportError extends Error {
  override name = 'ReportError'
}

/** Counts of the JSON that Jest writes with --json; a file that could not be run counts as one failure. */
export function countsOfJest(json: string): Counts {
  const report: unknown = JSON.parse(json)
  const number = (name: string): number => {
    const value: unknown = Object(report)[name]
    if (typeof value !== 'number') throw new ReportError(`Jest's report has no number ${name}`)
    return value
  }
  return {
    passed: number('numPassedTests'),
    failed: number('numFailedTests') + number('numRuntimeErrorTestSuites'),
    skipped: number('numPendingTests') + number('numTodoTests'),
  }
}

/** What failed by the JSON that Jest writes with --json: file, name and the first lines of why, per test or per file that
 * could not be run. */
export function failuresOfJest(json: string, root: string): string[] {
  const { testResults } = jestReportSchema.parse(JSON.parse(json))
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = path.relative(root, name)
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length === 0 && status === 'failed') return [`${file}: ${beginningOf(message)}`]
    return failed.map(({ fullName, failureMessages }) => {
      return `${file} › ${fullName}: ${beginningOf(failureMessages.join('\n'))}`
    })
  })
}

const jestReportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()) }),
      ),
    }),
  ),
})

/** So many lines tell what was expected, and what came in its place. */
const linesOfAReason = 12

function beginningOf(message: string): string {
  const lines = stripVTControlCharacters(message)
    .split('\n')
    .filter((line) => line.trim() !== '')
  return lines.slice(0, linesOfAReason).join('\n    ')
}

/**
 * Counts of what Hardhat prints at its end: lines such as `90 passing (34 solidity, 56 mocha)` and `1 failing
 * (1 mocha)`; where these are missing (one kind of test only), the sum of each runner's own lines.
 */
export function countsOfHardhat(output: string): Counts {
  const plain = stripVTControlCharacters(output)
  const totals = [...plain.matchAll(/^(\d+) (passing|failing|pending|skipped) \([^)]*(?:solidity|mocha)\)/gm)]
  const parts = [...plain.matchAll(/^\s*(\d+) (passing|failing|pending|skipped)\b/gm)]
  const counts = { ...noTests }
  for (const [, count, word] of totals.length > 0 ? totals : parts) {
    if (word === 'passing') counts.passed += Number(count)
    else if (word === 'failing') counts.failed += Number(count)
    else counts.skipped += Number(count)
  }
  return counts
}
