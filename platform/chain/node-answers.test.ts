import { describe, expect, test } from '@jest/globals'
import { asksForLess, headIn, isBehind, mayDifferElsewhere } from './node-answers.ts'
import { RpcError, RpcUnavailable } from './rpc.ts'

const saying = (message: string, code = -32000) => new RpcError('eth_x', { code, message })

describe('an error of a node', () => {
  test.each([
    'query returned more than 10000 results',
    'You can make eth_getLogs requests with up to a 2,000 block range.',
    'block range is too wide',
    'Log response size exceeded.',
    'exceed maximum block range: 5000',
  ])('"%s" asks for less, from this node and every other', (message) => {
    expect([asksForLess(saying(message)), mayDifferElsewhere(saying(message))]).toEqual([true, false])
  })

  test.each([
    'rate limit exceeded',
    'Too Many Requests',
    'exceeded its compute units per second capacity',
    'daily request count exceeded',
  ])('"%s" asks for patience, or another node', (message) => {
    expect([asksForLess(saying(message)), mayDifferElsewhere(saying(message))]).toEqual([false, true])
  })

  test.each([
    'unknown block',
    'header not found',
    'missing trie node 3f2a (path )',
    'pruned history unavailable',
    'internal error',
    'Internal server error',
    'service temporarily overloaded',
  ])('"%s" may not be met at another node', (message) => {
    expect(mayDifferElsewhere(saying(message))).toBe(true)
  })

  test.each(['execution reverted: internal error', 'nonce too low', 'already known', 'method not found'])(
    '"%s" is the same everywhere',
    (message) => {
      expect(mayDifferElsewhere(saying(message))).toBe(false)
    },
  )

  test('that is none, since it does not answer, may be one of too much', () => {
    expect(asksForLess(new RpcUnavailable('timed out', { tooMuch: true }))).toBe(true)
    expect(asksForLess(new RpcUnavailable('connection refused'))).toBe(false)
    expect(mayDifferElsewhere(new RpcUnavailable('connection refused'))).toBe(true)
  })
})

describe('an answer', () => {
  const newestBlock = { method: 'eth_getBlockByNumber', params: ['latest', false] }
  const block = (number: number) => ({
    method: 'eth_getBlockByNumber',
    params: [`0x${number.toString(16)}`, false],
  })

  test('tells the head where that was asked for', () => {
    expect(headIn({ method: 'eth_blockNumber', params: [] }, '0x10')).toBe(16)
    expect(headIn(newestBlock, { number: '0x11' })).toBe(17)
    expect(headIn(newestBlock, null)).toBeNull()
    expect(headIn(block(16), { number: '0x10' })).toBeNull()
  })

  test('is behind with an older head, or without a block that another node has', () => {
    expect(isBehind(newestBlock, { number: '0x10' }, 17)).toBe(true)
    expect(isBehind(newestBlock, { number: '0x10' }, 16)).toBe(false)
    expect(isBehind(block(16), null, 16)).toBe(true)
    expect(isBehind(block(17), null, 16)).toBe(false)
    expect(isBehind({ method: 'eth_getBlockByHash', params: ['0xaa', false] }, null, 16)).toBe(true)
    expect(isBehind({ method: 'eth_getTransactionReceipt', params: ['0xaa'] }, null, 16)).toBe(false)
  })
})
