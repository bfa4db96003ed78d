import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** It builds its tests each time, on a machine that may be slow and new to them. */
const patienceMs = 280_000
const outputLimitBytes = 64 * 1024 * 1024
/** It calls Go, which its own installer does not put on the PATH. */
const environment = { ...process.env, PATH: `${process.env.PATH}${path.delimiter}/usr/local/go/bin` }

/** What of the suite has to do with what a gateway of blocks and paths is. */
const specifications = 'trustless-gateway,path-gateway'

/** How one test of the suite ended. */
export type Outcome = 'pass' | 'fail' | 'skip'

/** The tests of public gateways, by the program that its makers distribute: `gateway-conformance`, which needs Go. */
export type ConformanceSuite = {
  /** Puts the CARs that its tests ask for into a folder. */
  extractFixtures(folder: string): Promise<void>
  /** Runs its tests against a gateway. @returns how each ended, by name */
  test(origin: string, folder: string): Promise<ReadonlyMap<string, Outcome>>
}

/** @param program path of the program */
export function conformanceSuite(program: string): ConformanceSuite {
  return {
    async extractFixtures(folder) {
      await run(program, ['extract-fixtures', '--directory', folder, '--ipns=false', '--dnslink=false'], {
        timeout: patienceMs,
        env: environment,
      })
    },
    async test(origin, folder) {
      const report = path.join(folder, 'report.json')
      const where = ['--gateway-url', origin, '--subdomain-url', origin]
      try {
        await run(program, ['test', ...where, '--specs', specifications, '--json', report], {
          timeout: patienceMs,
          env: environment,
          maxBuffer: outputLimitBytes,
        })
      } catch (error) {
        // It ends so when a test fails, which is told by the report. Anything else is a failure of the suite itself.
        if (!(error instanceof Error && 'code' in error && error.code === 1)) throw error
      }
      return outcomesOf(await readFile(report, 'utf8'))
    },
  }
}

type Event = { readonly Action: string; readonly Test?: string }

/** Of the lines of `go test -json` those that tell how a case ended: a test within one function, and not its parts. */
function outcomesOf(report: string): ReadonlyMap<string, Outcome> {
  const outcomes = new Map<string, Outcome>()
  for (const line of report.split('\n')) {
    if (line === '') continue
    const { Action, Test } = JSON.parse(line) as Event
    const isCase = Test !== undefined && Test.split('/').length === 2
    if (isCase && (Action === 'pass' || Action === 'fail' || Action === 'skip')) outcomes.set(Test, Action)
  }
  return outcomes
}
