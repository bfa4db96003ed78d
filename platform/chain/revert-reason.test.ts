import { describe, expect, test } from '@jest/globals'
import { Interface } from 'ethers'
import { decodeRevert, isRevert, revertReason } from './revert-reason.ts'
import { RpcError } from './rpc.ts'

const contract = new Interface(['error NonceAlreadyUsed(address signer, uint256 nonce)', 'error Paused()'])
const other = new Interface(['error Elsewhere(string why)'])
const signer = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'

describe('the reason of a revert', () => {
  test.each([
    [
      'a custom error with its values',
      contract.encodeErrorResult('NonceAlreadyUsed', [signer, 7n]),
      `NonceAlreadyUsed(${signer}, 7)`,
    ],
    ['a custom error without values', contract.encodeErrorResult('Paused'), 'Paused()'],
    [
      'a custom error of a second contract',
      other.encodeErrorResult('Elsewhere', ['there']),
      'Elsewhere(there)',
    ],
    [
      'a require message',
      new Interface(['error Error(string)']).encodeErrorResult('Error', ['too late']),
      'too late',
    ],
    ['a panic', new Interface(['error Panic(uint256)']).encodeErrorResult('Panic', [0x11n]), 'panic 0x11'],
    ['nothing', '0x', 'reverted without a reason'],
    ['an error that nobody here knows', '0x12345678', 'unknown error 0x12345678'],
  ])('is %s', (_, data, reason) => {
    expect(decodeRevert(data, [contract, other])).toBe(reason)
  })

  test.each([
    ['geth and anvil', contract.encodeErrorResult('Paused')],
    ['nodes that nest it', { data: contract.encodeErrorResult('Paused'), message: 'reverted' }],
    ['nodes that put words before it', `Reverted ${contract.encodeErrorResult('Paused')}`],
  ])('is found where %s put it', (_, data) => {
    const error = new RpcError('eth_call', { code: 3, message: 'execution reverted', data })
    expect(revertReason(error, [contract])).toBe('Paused()')
  })

  test('is the node’s message where there is no data', () => {
    const error = new RpcError('eth_call', { code: -32000, message: 'execution reverted: too late' })
    expect(revertReason(error, [contract])).toContain('too late')
  })

  test('garbage from a contract is told, not thrown', () => {
    const silent = `0x08c379a0${'20'.padStart(64, '0')}${'0'.repeat(64)}`
    expect(decodeRevert(silent, [contract])).toBe('reverted without a reason')
    expect(decodeRevert('0x08c379a0ffff', [contract])).toBe('unknown error 0x08c379a0')
    expect(
      decodeRevert(`${contract.encodeErrorResult('NonceAlreadyUsed', [signer, 7n]).slice(0, 40)}`, [
        contract,
      ]),
    ).toMatch(/^unknown error/)
  })
})

test('a revert is told from other errors', () => {
  const error = (code: number, message: string) => new RpcError('eth_call', { code, message })
  expect(isRevert(error(3, 'anything'))).toBe(true)
  expect(isRevert(error(-32000, 'execution reverted'))).toBe(true)
  expect(isRevert(error(-32000, 'header not found'))).toBe(false)
  expect(isRevert(error(-32000, 'insufficient funds for gas'))).toBe(false)
  expect(isRevert(new Error('execution reverted'))).toBe(false)
})
