import { preferredPorts } from '@hexachord/scripts/local-network'
import { soak, writeReport } from '@hexachord/scripts/soaking'
import { makeTemporaryFolder, type TemporaryFolder, testPortBase } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await makeTemporaryFolder()
})
afterAll(() => folder?.remove())

test('a minute of churn: nothing acknowledged is lost, no wrong byte is heard, and all agree', async () => {
  const lines: string[] = []
  const result = await soak({
    durationMs: 45_000,
    folder: folder.path,
    ports: preferredPorts(3, testPortBase()),
    artists: 2,
    listeners: 2,
    signal: new AbortController().signal,
    report: (line) => lines.push(line),
  })
  const { tally, audit, verdict } = result
  expect(tally.of('tracks published')).toBeGreaterThan(0)
  expect(tally.of('segments played')).toBeGreaterThan(0)
  expect(new Set(audit.stateHashes).size).toBe(1)
  expect(audit.missing).toEqual([])
  // Whether it is flat shows in an hour, not in a minute.
  expect(Object.fromEntries(tally.faults())).toEqual({})
  expect(verdict.lines.length).toBeGreaterThan(5)
  const page = writeReport(result, { commit: 'abc', date: 'today', machine: 'this one' })
  expect(page).toContain('| machine | this one |')
  expect(page).toContain('no segments with a wrong byte')
}, 420_000)
