import { describe, expect, test } from '@jest/globals'
import { addCounts, countsOfHardhat, countsOfJest, failuresOfJest, formatCounts } from './counts.ts'

describe('counts', () => {
  test('are one plain line', () => {
    expect(formatCounts({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed')
    expect(formatCounts({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped')
  })

  test('add up', () => {
    const sum = addCounts({ passed: 1, failed: 2, skipped: 3 }, { passed: 10, failed: 20, skipped: 30 })
    expect(sum).toEqual({ passed: 11, failed: 22, skipped: 33 })
  })

  test('of Jest take a file that could not be run for a failure', () => {
    const report = {
      numPassedTests: 5,
      numFailedTests: 1,
      numRuntimeErrorTestSuites: 1,
      numPendingTests: 1,
      numTodoTests: 1,
    }
    expect(countsOfJest(JSON.stringify(report))).toEqual({ passed: 5, failed: 2, skipped: 2 })
  })

  test('of a report that is not Jest’s are an error', () => {
    expect(() => countsOfJest('{}')).toThrow('numPassedTests')
  })

  test('of Jest have the names of what failed beside them, with why', () => {
    const test = (fullName: string, status: string, ...failureMessages: string[]) => {
      return { fullName, status, failureMessages }
    }
    const testResults = [
      {
        ...{ name: '/root/a/one.test.ts', status: 'failed', message: 'all that it said' },
        assertionResults: [
          test('a thing works', 'passed'),
          test('a thing breaks', 'failed', '\u001b[31mexpected 1\u001b[39m\n\nreceived 2'),
        ],
      },
      { name: '/root/two.test.ts', status: 'failed', message: 'no such module', assertionResults: [] },
      { name: '/root/three.test.ts', status: 'passed', message: '', assertionResults: [] },
    ]
    expect(failuresOfJest(JSON.stringify({ testResults }), '/root')).toEqual([
      'a/one.test.ts › a thing breaks: expected 1\n    received 2',
      'two.test.ts: no such module',
    ])
  })

  test.each<[string, string, object]>([
    [
      'both runners',
      '  34 passing\n  56 passing (2s)\n\n\u001b[32m90 passing\u001b[39m (34 solidity, 56 mocha)\n',
      { passed: 90, failed: 0, skipped: 0 },
    ],
    [
      'failures',
      '  1 passing\n90 passing (34 solidity, 56 mocha)\n2 failing (2 mocha)\n1 skipped (1 mocha)\n',
      { passed: 90, failed: 2, skipped: 1 },
    ],
    ['one runner', '  34 passing\n  1 failing\n', { passed: 34, failed: 1, skipped: 0 }],
    ['no tests at all', 'HH404: nothing compiled\n', { passed: 0, failed: 0, skipped: 0 }],
  ])('of Hardhat with %s', (_, output, counts) => {
    expect(countsOfHardhat(output)).toEqual(counts)
  })
})
