import { expect, test } from '@jest/globals'
import { isDatabaseAway } from './database-away.ts'

const withCode = (code: string) => Object.assign(new Error('something'), { code })

test.each([
  ['a server that shuts down', withCode('57P01'), true],
  ['a refused connection', withCode('ECONNREFUSED'), true],
  ['a host that cannot be reached', withCode('EHOSTUNREACH'), true],
  ['a host that is down', withCode('EHOSTDOWN'), true],
  ['a network that cannot be reached', withCode('ENETUNREACH'), true],
  ['a network that is down', withCode('ENETDOWN'), true],
  ['every address refused', new AggregateError([withCode('ECONNREFUSED')], ''), true],
  ['a connection that broke', new Error('Connection terminated unexpectedly'), true],
  ['a statement that took too long', withCode('57014'), true],
  ['one of these as the cause', new Error('the roll-back failed', { cause: withCode('08006') }), true],
  ['a duplicate key', withCode('23505'), false],
  ['a syntax error', withCode('42601'), false],
  ['a mistake of ours', new TypeError('x is not a function'), false],
  ['no error at all', 'ECONNREFUSED', false],
])('%s', (_, error, away) => {
  expect(isDatabaseAway(error)).toBe(away)
})
