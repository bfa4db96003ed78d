import path from 'node:path'
import { benches } from '../benches/index.ts'
import { type Counts, noTests } from './counts.ts'
import { endOf, runCommand } from './run-command.ts'
import type { SuiteContext } from './suites.ts'

/** Runs each bench with tiny inputs. It has passed when it ends in one line of JSON with a figure; whether the
 * figure is a good one is no test. */
export async function runBenches(context: SuiteContext): Promise<Counts> {
  const { root, pattern, failed } = context
  const counts = { ...noTests }
  for (const { name } of benches) {
    if (pattern !== undefined && !new RegExp(pattern).test(name)) continue
    const { code, output } = await runCommand({
      ...context,
      command: process.execPath,
      args: [
        '--disable-warning=ExperimentalWarning',
        path.join(root, 'scripts/bench.ts'),
        name,
        '--small',
        '--json',
      ],
      cwd: root,
    })
    const wrong = code === 0 ? whatIsWrong(name, output) : `it ended with ${code}:\n${endOf(output)}`
    if (wrong !== undefined) failed(`${name}: ${wrong}`)
    counts[wrong === undefined ? 'passed' : 'failed'] += 1
  }
  // A pattern that matches nothing is a typing mistake.
  return counts.passed + counts.failed > 0 ? counts : { ...counts, failed: 1 }
}

/** What the last line of a bench lacks; undefined for nothing. */
export function whatIsWrong(name: string, output: string): string | undefined {
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  let figures: unknown
  try {
    figures = JSON.parse(last)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return `its last line is no JSON: ${last.slice(0, 200)}`
  }
  const { bench, ratio } = Object(figures) as Record<string, unknown>
  if (bench !== name) return `its last line is that of ${String(bench)}`
  return typeof ratio === 'number' && ratio > 0 ? undefined : `its ratio is ${String(ratio)}`
}
