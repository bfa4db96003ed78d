import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { createApp, finishApp, type Listening, listen, quickFirst } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { findProgram } from '@hexachord/scripts/setup'
import { makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { createGateway } from '@hexachord/storage/gateway'
import { createEmbeddedIpfs, type IpfsNode } from '@hexachord/storage/ipfs'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type Peer, whyMissing } from '../debian.ts'
import { bringGoProgram } from '../go-program.ts'
import { fixtureBlocks } from './fixture-blocks.ts'
import notApplicable from './not-applicable.json' with { type: 'json' }
import { conformanceSuite, type Outcome } from './suite.ts'

// Not every module proxy gives it: one on the PATH goes first, see CONTRIBUTING.md.
const found = findProgram('gateway-conformance')
const suite: Peer =
  found === undefined
    ? await bringGoProgram({
        title: 'the public conformance suite of gateways',
        module: 'github.com/ipfs/gateway-conformance',
        version: '0.13.1',
        command: './cmd/gateway-conformance',
      })
    : { path: found }
const excused = notApplicable.flatMap(({ tests }) => tests)

describe(`the public conformance suite of gateways${whyMissing(suite)}`, () => {
  if ('missing' in suite) {
    test.skip('runs against ours', () => {})
    return
  }
  jest.setTimeout(600_000)
  const { extractFixtures, test: runTests } = conformanceSuite(suite.path)
  let folder: TemporaryFolder
  let ipfs: IpfsNode
  let server: Listening
  let outcomes: ReadonlyMap<string, Outcome>

  beforeAll(async () => {
    folder = await makeTemporaryFolder()
    const logger = createLogger({ service: 'test', level: 'silent' })
    ipfs = await createEmbeddedIpfs({ directory: path.join(folder.path, 'node'), logger, bitswap: false })
    const fixtures = path.join(folder.path, 'fixtures')
    await extractFixtures(fixtures)
    await importFixtures(fixtures, ipfs)
    const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
    const gateway = createGateway({ ipfs, cacheBytes: 8_000_000 })
    app.use(gateway.routes)
    server = await listen(quickFirst(gateway.quick, finishApp(app)), { host: '127.0.0.1', port: 0 })
    outcomes = await runTests(server.origin, folder.path)
  }, 600_000)
  afterAll(async () => {
    await server?.close()
    await ipfs?.close()
    await folder?.remove()
  })

  const endedWith = (outcome: Outcome) =>
    [...outcomes].filter(([, ended]) => ended === outcome).map(([name]) => name)

  test('passes in all that applies to a node of raw and dag-json blocks', () => {
    // All of this version that is neither excused nor, as those which the suite skips, about subdomains and names.
    expect(endedWith('pass')).toHaveLength(37)
    expect(endedWith('skip').filter((name) => !/Subdomain|DNSLink/.test(name))).toEqual([])
    expect(endedWith('fail').filter((name) => !excused.includes(name))).toEqual([])
  })

  test('fails in all that is said not to apply, so that the list stays true', () => {
    expect(excused.filter((name) => outcomes.get(name) !== 'fail')).toEqual([])
  })
})

/** Takes what this node stores; blocks of other kinds are what most of the list is about. */
async function importFixtures(folder: string, ipfs: IpfsNode): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.car')) continue
    for (const { cid, bytes } of fixtureBlocks(await readFile(path.join(folder, name)))) {
      await ipfs.putVerified(cid, bytes)
    }
  }
}
