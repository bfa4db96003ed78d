import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { runProgram } from '../network/recordings.ts'
import { whyMissing } from './debian.ts'
import { bringSlither } from './slither/bring-slither.ts'

const contracts = fileURLToPath(new URL('../../contracts', import.meta.url))
const compiler = fileURLToPath(new URL('./slither/solc.mjs', import.meta.url))

/** Detectors that say nothing about these contracts. */
const excluded = {
  'naming-convention': 'constants are upper-case in interfaces too',
  timestamp: 'delays of minutes to weeks do not mind what a proposer can shift',
  assembly: 'read by people: one place that reads calldata within bounds that were checked',
}

/** Findings that were looked at, by detector and function, and why they stay. */
const explained: Record<string, string> = {
  'incorrect-equality StakeVault.stake': 'nothing arrived is just what it asks',
  'incorrect-equality StreamEscrow._creditArrived': 'nothing arrived is just what it asks',
  'incorrect-equality StreamEscrow._settleLine': 'a line for nothing is just what it refuses',
  'incorrect-equality TrackPurchase.settle': 'nothing there is just what it asks',
  'reentrancy-events TrackPurchases._settle': 'it calls its own clone, and the escrow, which is guarded',
  'reentrancy-events TrackPurchases.settleWithAuthorization':
    'the token moves what was signed; there is no state here that it could find half done',
  'unused-return TrackPurchases._settle': 'a clone stands where it was foretold',
  'uninitialized-local StreamEscrow.redeem': 'a sum begins at zero',
  'uninitialized-local TrackRegistry._check': 'a sum begins at zero',
  'calls-loop StreamEscrow._sharesOf': 'it asks our own registry, once for each track',
  'reentrancy-benign StreamEscrow.depositWithAuthorization':
    'the credit is what arrived; guarded by nonReentrant',
  'reentrancy-benign StreamEscrow.depositWithPermit': 'the credit is what arrived; guarded by nonReentrant',
}

const slither = await bringSlither()
const run = 'path' in slither ? describe : describe.skip

run(`Slither${whyMissing(slither)}`, () => {
  let folder: TemporaryFolder
  beforeAll(async () => {
    folder = await makeTemporaryFolder()
  })
  afterAll(() => folder.remove())

  test('reports nothing about our contracts that was not looked at', async () => {
    const found = await findingsOf(folder.path)
    expect(found.filter((finding) => !(finding in explained))).toEqual([])
    expect(Object.keys(explained).filter((finding) => !found.includes(finding))).toEqual([])
  }, 240_000)
})

async function findingsOf(directory: string): Promise<string[]> {
  const sources = (await readdir(path.join(contracts, 'src'))).filter((file) => file.endsWith('.sol'))
  const imports = sources.map((file) => `import "src/${file}";`)
  const [all, report] = [path.join(directory, 'All.sol'), path.join(directory, 'report.json')]
  await writeFile(
    all,
    ['// SPDX-License-Identifier: Apache-2.0', 'pragma solidity ^0.8.24;', ...imports].join('\n'),
  )
  const python = 'path' in slither ? slither.path : ''
  const exclude = Object.keys(excluded).join(',')
  await runProgram(
    'env',
    [
      ...['-C', contracts, `PYTHONPATH=${python}`, 'python3', '-m', 'slither', all, '--solc', compiler],
      ...['--filter-paths', '@openzeppelin', '--exclude', exclude, '--json', report, '--fail-none'],
    ],
    230_000,
  )
  return [...new Set(namesIn(JSON.parse(await readFile(report, 'utf8'))))].sort()
}

type Report = { success: boolean; results: { detectors?: Finding[] } }
type Finding = { check: string; elements: Element[] }
type Element = { type: string; name: string; type_specific_fields: { parent?: Element } }

function namesIn({ success, results }: Report): string[] {
  if (!success) throw new Error('Slither could not look at the contracts')
  return (results.detectors ?? []).map(({ check, elements: [first] }) => `${check} ${placeOf(first)}`)
}

/** `Contract.function`, or the contract alone. */
function placeOf(element: Element | undefined): string {
  if (element === undefined) return 'nowhere'
  const { parent } = element.type_specific_fields
  if (element.type === 'variable' && parent?.type === 'function') return placeOf(parent)
  return parent?.type === 'contract' ? `${parent.name}.${element.name}` : element.name
}
