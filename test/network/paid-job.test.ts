import path from 'node:path'
import { fileUploadMemory } from '@hexachord/cli/settings'
import { readNetworkFile } from '@hexachord/contracts/networks'
import { localKey, type PaidJobStep, runPaidJob } from '@hexachord/scripts/main-job'
import { makeTemporaryFolder, type TemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { connectTo } from './artist.ts'

jest.setTimeout(120_000)

const network = testNetwork()
let folder: TemporaryFolder
beforeAll(async () => {
  folder = await makeTemporaryFolder()
})
afterAll(() => folder?.remove())

test('scripts/start sells and encrypts a sample track each, and hears both for what they cost; the next start only hears them', async () => {
  expect((await readNetworkFile(network.networkFile)).payments).toBeDefined()
  const { path: directory } = folder
  const memory = fileUploadMemory(path.join(directory, 'data', 'artist'))
  const artist = await localKey(directory, 'artist')
  const steps: PaidJobStep[] = []
  const run = async () =>
    runPaidJob({
      ...{ connection: await connectTo(network), artist, rpcUrl: network.urls.chain, directory, memory },
      ...{ signal: AbortSignal.timeout(100_000), onStep: (step) => steps.push(step) },
    })
  const first = await run()
  // Of the encrypted one the first six seconds are for everybody.
  expect(first).toMatchObject({ spent: String(134 * (5 + 4)), token: { symbol: 'LUSD' } })
  expect(steps.at(-1)).toMatchObject({ step: 'listen', detail: 'paid 0.001206 LUSD for what was heard' })
  expect(await run()).toEqual(first)
})
